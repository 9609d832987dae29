"""The main job, for real: every row of a data set published, answered, approved, exported, compared.

    python3 dev.py bench main-job --data PATH

`PATH` holds `labels.csv` (`task,worker,label`) and, if there are texts, `items.csv` (`task,…`). Boots the
whole product in a folder of its own, replays the answers through pretend Workers, and checks that each exported
answer equals the file's. Prints seconds for each step, API calls by operation, and memory by process.
"""

import argparse
import csv
import io
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from marketplace.identifiers import pretend_worker_id
from mturkhub.command.manager import launch
from mturkhub.command.settings import Settings, dashboard, marketplace, read_settings

HTML = """<p>Read both, then answer.</p>
<blockquote>${text}</blockquote><blockquote>${hypothesis}</blockquote>
<form>
  <input type="hidden" name="task" value="${task}">
  <label><input type="radio" name="label" value="yes" required> It follows</label>
  <label><input type="radio" name="label" value="no"> It does not</label>
  <button>Submit</button>
</form>
"""


@dataclass(frozen=True)
class Data:
    """What is asked and what was answered: `labels` are (task, worker, label)."""

    items: list[dict[str, str]]
    labels: list[tuple[str, str, str]]

    @property
    def answers_per_item(self) -> int:
        return max(Counter(task for task, _, _ in self.labels).values())

    def items_csv(self) -> bytes:
        out = io.StringIO()
        writer = csv.DictWriter(out, ["task", "text", "hypothesis"])
        writer.writeheader()
        writer.writerows(self.items)
        return out.getvalue().encode()

    def labels_csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(["task", "worker", "label"])
        writer.writerows(self.labels)
        return out.getvalue()


def read_data(folder: Path) -> Data:
    """The data set in this folder; items without a text get their number as text."""
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        labels = [(row["task"], row["worker"], row["label"]) for row in csv.DictReader(file)]
    items_file = folder / "items.csv"
    if items_file.exists():
        with items_file.open(newline="", encoding="utf-8") as file:
            items = [
                {"task": row["task"], "text": row.get("text", ""), "hypothesis": row.get("hypothesis", "")}
                for row in csv.DictReader(file)
            ]
    else:
        items = [
            {"task": task, "text": task, "hypothesis": task}
            for task in dict.fromkeys(t for t, _, _ in labels)
        ]
    return Data(items, labels)


@dataclass
class Report:
    """What the job took."""

    seconds: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began


def run(data: Data, replay: Callable[[str], None], *, patience: float = 900) -> Report:
    """Play the whole job through the product's own actions; Django is set up and Celery workers are running.

    `replay` is given the labels as CSV and has pretend Workers answer with them.
    """
    from mturkhub.accounts.actors import Actor
    from mturkhub.accounts.models import Connection, Membership
    from projects.actions.batches import publish_batch
    from projects.actions.projects import create_project, save_template
    from projects.actions.reviews import decide_many
    from projects.actions.uploads import create_batch, upload_file
    from projects.exporting import results_csv
    from projects.models import Assignment, Batch
    from projects.states import Verdict

    report = Report()
    membership = Membership.objects.select_related("team", "user").filter(role="owner").order_by("pk")[0]
    by = Actor.person(membership)

    with report.step("set up and upload"):
        project = create_project(
            membership.team,
            by=by,
            name="Main job",
            title="Does the second sentence follow?",
            description="Read two sentences and say whether the second follows from the first.",
            reward=Decimal("0.02"),
            max_assignments=data.answers_per_item,
        )
        save_template(project, HTML, by=by)
        upload = upload_file(project, by=by, name="items.csv", chunks=[data.items_csv()])
        batch = create_batch(upload, by=by, connection=Connection.objects.get(environment="local"))
    with report.step("publish"):
        publish_batch(batch, by=by)
        _wait(lambda: Batch.objects.get(pk=batch.pk).state == "live", "the batch to be live", patience)
    with report.step("answer (pretend Workers)"):
        replay(data.labels_csv())
    with report.step("collect"):
        _wait(
            lambda: Assignment.objects.filter(batch=batch).count() >= len(data.labels),
            f"{len(data.labels)} answers",
            patience,
        )
    with report.step("approve in bulk"):
        decide_many(batch, Assignment.objects.filter(batch=batch), by=by, verdict=Verdict.APPROVE)
        _wait(
            lambda: not Assignment.objects.filter(batch=batch).exclude(status="Approved").exists(),
            "every answer to be approved",
            patience,
        )
    with report.step("export"):
        exported = b"".join(results_csv(Batch.objects.get(pk=batch.pk), by=by)).decode()
    report.wrong = compare(data, exported)
    return report


def compare(data: Data, exported: str) -> list[str]:
    """Each difference between the labels of the file and those of the export, in words."""
    got = Counter(
        (row["Input.task"], row["WorkerId"], row["Answer.label"])
        for row in csv.DictReader(io.StringIO(exported, newline=""))
    )
    wanted = Counter((task, pretend_worker_id(worker), label) for task, worker, label in data.labels)
    return [f"{' '.join(answer)}: {count} missing" for answer, count in (wanted - got).items()] + [
        f"{' '.join(answer)}: {count} too many" for answer, count in (got - wanted).items()
    ]


def _wait(done: Callable[[], bool], what: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {patience:.0f} s for {what}.")
        time.sleep(0.2)


# The whole product, in a folder of its own ---------------------------------------------------------


@contextmanager
def product(folder: Path) -> Iterator[tuple[Settings, subprocess.Popen[str]]]:
    """The product as `mturkhub up` runs it, on free ports, with its data in `folder`."""
    environ = {
        **os.environ,
        "MTURKHUB_HOME": str(folder),
        "MTURKHUB_PORT": str(free_port()),
        "MARKETPLACE_PORT": str(free_port()),
    }
    addresses = ("MTURKHUB_URL", "MARKETPLACE_URL", "DATABASE_URL", "MARKETPLACE_DATABASE_URL", "REDIS_URL")
    for name in addresses:
        environ.pop(name, None)
    # It ends with this process, however that ends.
    command = launch([sys.executable, "-m", "mturkhub.command.main", "up"], death_signal=signal.SIGTERM)
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        for line in process.stdout:
            if line.startswith("Ctrl-C"):
                break
        else:
            raise RuntimeError("It did not start; its last words are above.")
        yield read_settings(environ, folder=folder), process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def memory_mb(process: subprocess.Popen[str]) -> dict[str, float]:
    """Proportional memory (PSS, MB of 10^6 bytes) of the manager's descendants, summed by service."""
    import psutil

    sums: dict[str, float] = Counter()
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            words, pss = " ".join(child.cmdline()), child.memory_full_info().pss / 1e6
        except psutil.Error:
            continue
        known = ("mturkhub.wsgi", "marketplace.wsgi", " beat ", " worker ", "postgres", "valkey")
        sums[next((name.strip() for name in known if name in words), "other")] += pss
    return dict(sums)


def calls_by_operation(logs: Path) -> Counter[str]:
    """API calls by operation and status, counted from the marketplace's own log."""
    found = re.findall(r"api (\w+) (\d{3})", (logs / "marketplace.log").read_text(errors="replace"))
    return Counter(f"{operation} {status}" for operation, status in found)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench main-job", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with labels.csv and items.csv")
    data = read_data(parser.parse_args(argv).data)
    with (
        tempfile.TemporaryDirectory(prefix="mturkhub-bench-") as folder,
        product(Path(folder)) as (told, process),
    ):
        os.environ.update(dashboard(told.everything()))
        import django

        django.setup()

        def replay(labels: str) -> None:
            file = Path(folder) / "labels.csv"
            file.write_text(labels, encoding="utf-8")
            command = [sys.executable, "-m", "django", "work", "--replay", str(file), "--field", "label"]
            subprocess.run(command, env={**os.environ, **marketplace(told.everything())}, check=True)

        report = run(data, replay)
        memory = memory_mb(process)
        calls = calls_by_operation(told.home.logs)
    _print(data, report, memory, calls)
    return 1 if report.wrong else 0


def _print(data: Data, report: Report, memory: dict[str, float], calls: Counter[str]) -> None:
    print(f"{len(data.items)} rows, {len(data.labels)} answers, {len(report.wrong)} differences")
    rows: list[tuple[str, Any]] = [(name, f"{value:.1f} s") for name, value in report.seconds.items()]
    rows += [(f"calls: {name}", count) for name, count in sorted(calls.items())]
    rows += [(f"memory: {name}", f"{value:.0f} MB") for name, value in sorted(memory.items())]
    for name, value in rows:
        print(f"{name:<44}{value:>12}")
    for difference in report.wrong[:20]:
        print(difference)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

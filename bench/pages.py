"""Pages and exports of a batch of 300,000 assignments beside those of one of 1,000.

    python3 dev.py bench pages

Boots the whole product in a folder of its own and asks the web process for each page. Prints milliseconds (the
median of five) at both sizes and the ratio; then seconds and MB of each export, the most memory it took, and seconds of
a bare COPY of the same rows to CSV.
"""

import io
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from bench.big_file import Peaks, Visitor, signed_in
from bench.main_job import product
from mturkhub.command.settings import dashboard

# Rows; of a hundred 175 assignments are made.
SIZES = (572, 171_500)
TIMES = 5
EXPORTS = ("results.csv", "results.jsonl", "results.json")


def make_batch(project: Any, rows: int) -> Any:
    """A published batch of so many rows, half reviewed."""
    from mturkhub.accounts.models import Connection
    from projects.models import Batch, HITType
    from tests.projects.large import fill

    connection = Connection.objects.order_by("pk")[0]
    batch = Batch.objects.create(
        team_id=project.team_id,
        project=project,
        connection=connection,
        template=project.templates.get(),
        name=f"{rows:,} rows",
        title="Big",
        description="Big.",
        reward=project.reward,
        max_assignments=2,
        columns=["text"],
        state="live",
        created_by=project.created_by,
        published_by=project.created_by,
        published_at=project.created_at,
    )
    hit_type, _ = HITType.objects.get_or_create(connection=connection, digest="bench", properties={})
    fill(batch, rows, hit_type=hit_type)
    return Batch.objects.get(pk=batch.pk)


def pages(batch: Any) -> Iterator[tuple[str, str]]:
    base = f"/batches/{batch.public_id}"
    yield "progress", f"{base}/"
    yield "figures", f"{base}/figures/"
    yield "rows", f"{base}/rows/"
    yield "rows, the last", f"{base}/rows/?at=%3E{batch.rows_total - 50}"
    yield "rows to review, newest first", f"{base}/rows/?progress=to_review&sort=newest"
    yield "rows, search without a match", f"{base}/rows/?text=nowhere"
    yield "one row", f"{base}/rows/{batch.rows_total // 2}/"
    yield "review", f"{base}/review/"
    yield "review, approved, fastest", f"{base}/review/?show=approved&sort=fastest"
    yield "review, search without a match", f"{base}/review/?text=nowhere"
    yield "decide many, dry run", f"{base}/decide/?verdict=approve"
    yield "export page", f"{base}/export/"
    yield "activity", f"{base}/activity/"
    yield "home", "/"
    yield "projects", "/projects/"
    yield "project", f"/projects/{batch.project.public_id}/"
    yield "review across batches", "/review/"


def milliseconds(visitor: Visitor, path: str) -> float:
    took = []
    for _ in range(TIMES):
        began = time.monotonic()
        status, _, page = visitor.ask("GET", path)
        took.append((time.monotonic() - began) * 1000)
        assert status == 200, (path, status, page[:300])
    return median(took)


def compare(visitor: Visitor, small: Any, large: Any) -> None:
    print(f"{'ms':<40}{small.rows_total:>10,}{large.rows_total:>10,}{'ratio':>8}")
    for (name, one), (_, other) in zip(pages(small), pages(large), strict=True):
        a, b = milliseconds(visitor, one), milliseconds(visitor, other)
        print(f"{name:<40}{a:>10.0f}{b:>10.0f}{b / a:>8.1f}", flush=True)


_COPY = """
copy (
    select h.mturk_id, t.mturk_id, b.title, b.description, b.reward, h.max_assignments, a.mturk_id, w.mturk_id, a.status,
        a.accepted_at, a.submitted_at, a.auto_approval_at, a.approved_at, a.rejected_at, a.feedback, a.work_time,
        r.input ->> 'text', x.fields -> 'sentiment' ->> 0
    from projects_assignment a join projects_hit h on h.id = a.hit_id join projects_batchrow r on r.id = a.row_id
        join projects_batch b on b.id = a.batch_id join workers_worker w on w.id = a.worker_id
        join projects_hittype t on t.id = h.hit_type_id join projects_assignmentanswer x on x.assignment_id = a.id
    where a.batch_id = {batch} order by r.number, a.submitted_at
) to stdout with (format csv, header)
"""


def bare_copy(batch: Any) -> tuple[float, float]:
    """Seconds and MB of COPY alone to CSV, of the values that the results hold."""
    from django.db import connection

    class Counter(io.TextIOBase):
        size = 0

        def write(self, text: str) -> int:
            self.size += len(text)
            return len(text)

    counter, began = Counter(), time.monotonic()
    with connection.cursor() as cursor:
        cursor.cursor.copy_expert(_COPY.format(batch=batch.pk), counter)
    return time.monotonic() - began, counter.size / 1e6


def export(visitor: Visitor, batch: Any, manager: int) -> None:
    for name in EXPORTS:
        peaks = Peaks(manager)
        began = time.monotonic()
        with peaks.watched():
            size = visitor.download(f"/batches/{batch.public_id}/{name}")
        most, before = peaks.most["mturkhub.wsgi"], peaks.before["mturkhub.wsgi"]
        took = time.monotonic() - began
        print(
            f"{name:<24}{took:>8.1f} s{size / 1e6:>8.0f} MB; memory {before:.0f} to {most:.0f} MB", flush=True
        )


def main() -> int:
    with (
        tempfile.TemporaryDirectory(prefix="mturkhub-bench-") as folder,
        product(Path(folder)) as (told, process),
    ):
        os.environ.update(dashboard(told.everything()))
        import django

        django.setup()
        from django.db import transaction

        visitor, project = signed_in(told.web_url)
        with transaction.atomic():
            small, large = (make_batch(project, rows) for rows in SIZES)
        compare(visitor, small, large)
        export(visitor, large, process.pid)
        seconds, size = bare_copy(large)
        print(f"{'a bare COPY to CSV':<24}{seconds:>8.1f} s{size:>8.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

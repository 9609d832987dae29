"""A file of 200 MB and 100,000 rows: uploaded over HTTP, checked, made a batch, exported; and a bare COPY beside it.

    python3 dev.py bench big-file

Boots the whole product in a folder of its own. Prints seconds for each step, the most memory each process held,
and how much longer loading takes than COPY alone into a table of the same shape.
"""

import argparse
import http.client
import io
import json
import os
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from bench.main_job import Report, product
from mturkhub.command.settings import dashboard

HTML = "<p>${text}</p><form><input name=label><button>Submit</button></form>"
BOUNDARY = "the-edge-of-the-file"


def write_file(path: Path, rows: int, size: int) -> None:
    """A CSV with so many rows and about so many bytes."""
    words = ("The quick brown fox jumps over the lazy dog, ", "naïve café, ", "漢字 ")
    text = "".join(words) * (size // rows // len("".join(words).encode()))
    with path.open("w", encoding="utf-8") as file:
        file.write("id,text\n")
        for number in range(rows):
            file.write(f'{number},"{number} {text}"\n')


class Peaks:
    """The most memory (RSS, MB of 10^6 bytes) any one process of a service held, looked at ten times a second."""

    def __init__(self, manager: int) -> None:
        self._manager = psutil.Process(manager)
        self.most: dict[str, float] = Counter()
        self.before: dict[str, float] = {}

    @contextmanager
    def watched(self) -> Iterator[None]:
        self._look()
        self.before = dict(self.most)
        over = threading.Event()
        watcher = threading.Thread(target=lambda: [self._look() for _ in iter(lambda: over.wait(0.1), True)])
        watcher.start()
        yield
        over.set()
        watcher.join()

    def _look(self) -> None:
        for child in self._manager.children(recursive=True):
            try:
                words, size = " ".join(child.cmdline()), child.memory_info().rss / 1e6
            except psutil.Error:
                continue
            if name := next((name for name in ("mturkhub.wsgi", " worker ") if name in words), ""):
                self.most[name.strip()] = max(self.most[name.strip()], size)


class Visitor:
    """A browser of few words: it keeps its cookies and sends its token."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc
        self._cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str, str]:
        """Status, Location and page."""
        connection = http.client.HTTPConnection(self._host, timeout=600)
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        connection.request(method, path, body, {"Cookie": cookies, **headers})
        answer = connection.getresponse()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self._cookies[key] = rest.partition(";")[0]
        page = answer.read().decode(errors="replace")
        connection.close()
        return answer.status, answer.getheader("Location") or "", page

    def download(self, path: str) -> int:
        """The bytes of an answer, none of which is kept."""
        connection = http.client.HTTPConnection(self._host, timeout=600)
        connection.request(
            "GET", path, headers={"Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
        )
        answer, size = connection.getresponse(), 0
        while part := answer.read(1024 * 1024):
            size += len(part)
        connection.close()
        return size

    def sign_in(self, session: str) -> None:
        self._cookies["mturkhub_session"] = session

    def token(self, path: str) -> str:
        _, _, page = self.ask("GET", path)
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert found, page[:500]
        return found[1]

    def post(self, path: str, token: str) -> str:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        status, location, page = self.ask("POST", path, f"csrfmiddlewaretoken={token}", **kind)
        assert status == 302, page[:500]
        return location

    def upload(self, path: str, token: str, file: Path) -> str:
        head = "".join(
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; {line}\r\n\r\n{value}"
            for line, value in (
                ('name="csrfmiddlewaretoken"', f"{token}\r\n"),
                ('name="pasted"', "\r\n"),
                ('name="file"; filename="big.csv"', ""),
            )
        ).encode()
        tail = f"\r\n--{BOUNDARY}--\r\n".encode()

        def body() -> Iterator[bytes]:
            yield head
            with file.open("rb") as stream:
                while part := stream.read(256 * 1024):
                    yield part
            yield tail

        size = len(head) + file.stat().st_size + len(tail)
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        status, location, page = self.ask(
            "POST", path, body(), **{"Content-Type": kind, "Content-Length": str(size)}
        )
        assert status == 302, page[:500]
        return location


def bare_copy(batch: Any) -> float:
    """Seconds that COPY alone takes for the rows of a batch, into a table with the same columns and indexes."""
    from django.db import connection

    with connection.cursor() as cursor:
        copied = io.StringIO()
        columns = "public_id, team_id, batch_id, number, input"
        cursor.cursor.copy_expert(
            f"copy (select {columns} from projects_batchrow where batch_id = {batch.pk} order by number) to stdout",
            copied,
        )
        cursor.execute("create table bench_rows (like projects_batchrow including all)")
        copied.seek(0)
        began = time.monotonic()
        cursor.cursor.copy_expert(f"copy bench_rows ({columns}) from stdin", copied)
        seconds = time.monotonic() - began
        cursor.execute("drop table bench_rows")
    return seconds


def signed_in(url: str) -> tuple[Visitor, Any]:
    """A visitor with the first owner's session, and a project of theirs."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from mturkhub.accounts.actors import Actor
    from mturkhub.accounts.models import Membership
    from projects.actions.projects import create_project, save_template

    membership = Membership.objects.select_related("team", "user").filter(role="owner").order_by("pk")[0]
    session = SessionStore()
    session[SESSION_KEY] = str(membership.user.pk)
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session[HASH_SESSION_KEY] = membership.user.get_session_auth_hash()
    session.save()
    visitor = Visitor(url)
    visitor.sign_in(str(session.session_key))
    by = Actor.person(membership)
    project = create_project(
        membership.team, by=by, name="Big", title="Big", description="Big.", reward="0.01", max_assignments=3
    )
    save_template(project, HTML, by=by)
    return visitor, project


def run(visitor: Visitor, project: Any, file: Path) -> tuple[Report, Any]:
    """Upload, check and batch, as a browser asks for them."""
    from projects.models import Batch, BatchUpload

    report = Report()
    path = f"/projects/{project.public_id}/batches/new/"
    token = visitor.token(path)
    with report.step("upload"):
        check = visitor.upload(path, token, file)
    with report.step("check, in the background"):
        while BatchUpload.objects.filter(check_wanted_at__isnull=False).exists():
            time.sleep(0.1)
    token = visitor.token(check)
    with report.step("make the batch"):
        visitor.post(f"{check}batch/", token)
    batch = Batch.objects.get()
    report.seconds["COPY alone"] = bare_copy(batch)
    return report, batch


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench big-file", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--mb", type=int, default=200)
    told_by = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory(prefix="mturkhub-bench-") as folder,
        product(Path(folder)) as (told, process),
    ):
        file = Path(folder) / "big.csv"
        write_file(file, told_by.rows, told_by.mb * 1024 * 1024 - 1024 * 1024)
        os.environ.update(dashboard(told.everything()))
        import django

        django.setup()
        visitor, project = signed_in(told.web_url)
        peaks = Peaks(process.pid)
        with peaks.watched():
            report, batch = run(visitor, project, file)
        size = file.stat().st_size
        print(json.dumps({"rows": batch.rows_total, "MB": round(size / 1e6)}))
        for name, seconds in report.seconds.items():
            print(f"{name:<44}{seconds:>9.1f} s")
        ratio = report.seconds["make the batch"] / report.seconds["COPY alone"]
        print(f"{'making the batch against COPY alone':<44}{ratio:>9.1f} times")
        for name, most in sorted(peaks.most.items()):
            print(
                f"{'most memory of a process: ' + name:<44}{most:>9.0f} MB, {peaks.before[name]:.0f} before"
            )
    return 0 if batch.rows_total == told_by.rows else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

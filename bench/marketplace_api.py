"""The marketplace's API with few and with very many HITs, in one run.

    python3 dev.py bench marketplace-api [--hits 1000000] [--seconds 10]

Boots Postgres (durable, fsync on) and the marketplace with its two processes, and times CreateHITWithHITType (a question of
2 kB), ListHITs (a page of 100) and ListAssignmentsForHIT (100 answers) with 1,000 HITs in the account, then fills it up
and times them again, Workers who accept with 1,000 and with 50,000 open HITs, and two requesters who create beside one. Prints requests per second, CPU
milliseconds per request of the marketplace and of Postgres, and the ratio of large to small.
"""

import argparse
import contextlib
import http.client
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import psutil
import psycopg2
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mturkhub.command import sites
from mturkhub.command.manager import Manager
from mturkhub.command.ports import listen
from mturkhub.command.settings import marketplace, read_settings
from mturkhub.command.up import PREPARE

CLIENTS = 8
QUESTION = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd">'
    "<HTMLContent><![CDATA[<!DOCTYPE html><html><body><form>"
    + "<p>Does the second sentence follow?</p>"
    * 48
    + "</form>"
    "</body></html>]]></HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>"
)
HIT = {"LifetimeInSeconds": 86400, "Question": QUESTION}
CREATE = "CreateHITWithHITType"
TYPE = {
    "Title": "Does it follow?",
    "Description": "Read two sentences.",
    "Reward": "0.02",
    "AssignmentDurationInSeconds": 600,
}


@dataclass(frozen=True)
class Measured:
    """What one kind of call took: calls a second, and CPU milliseconds a call on either side."""

    per_second: float
    marketplace_ms: float
    postgres_ms: float

    @property
    def cpu_ms(self) -> float:
        return self.marketplace_ms + self.postgres_ms


@dataclass
class Market:
    """A marketplace that runs, as a requester and as an operator see it."""

    port: int
    keys: tuple[str, str]
    # Of a second requester.
    other_keys: tuple[str, str]
    manager: Manager
    database_url: str
    database: Any

    def seen_by(self, keys: tuple[str, str]) -> "Market":
        """The same for another requester."""
        return replace(self, keys=keys)

    @property
    def client(self) -> Any:
        return boto3.client(
            "mturk",
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id=self.keys[0],
            aws_secret_access_key=self.keys[1],
        )

    def sql(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.database.cursor() as cursor:
            cursor.execute(text, values)
            return list(cursor.fetchall()) if cursor.description else []

    def cpu_seconds(self) -> dict[str, float]:
        """CPU used so far by the marketplace and by Postgres, in seconds."""
        used = {"marketplace": 0.0, "postgres": 0.0}
        for run in self.manager.runs:
            assert run.process is not None
            parent = psutil.Process(run.process.pid)
            for process in (parent, *parent.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    used[run.service.name] += times.user + times.system
            # Of those that have ended, such as a vacuum.
            ended = parent.cpu_times()
            used[run.service.name] += ended.children_user + ended.children_system
        return used


@contextlib.contextmanager
def market(folder: Path) -> Iterator[Market]:
    """Postgres and the marketplace alone, as `mturkhub up` starts them."""
    environ = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
    settings = read_settings(environ | {"MTURKHUB_HOME": str(folder)}, folder=folder)
    settings.home.prepare()
    everything = settings.everything() | {"MARKETPLACE_OPENING_BALANCE": "100000000"}
    postgres = settings.postgres
    assert postgres is not None
    listener = listen("127.0.0.1", 0, variable="no variable")
    manager = Manager(settings.home.logs)
    try:
        postgres.prepare()
        manager.start(postgres.service())
        postgres.ensure_databases("mturkhub", "marketplace")
        preparing = marketplace(everything, preparing=True)
        manager.together({"prepare": ([*PREPARE, "ensure_first_requester"], preparing)})
        made = manager.together(
            {"other": ([sys.executable, "-m", "django", "add_requester", "Other"], preparing)}
        )
        other_id, other_secret = made["other"].split()
        manager.start(sites.marketplace(listener, marketplace(everything)))
        database = psycopg2.connect(everything["MARKETPLACE_DATABASE_URL"])
        database.autocommit = True
        keys = (everything["MARKETPLACE_ACCESS_KEY_ID"], everything["MARKETPLACE_SECRET_ACCESS_KEY"])
        yield Market(
            listener.getsockname()[1],
            keys,
            (other_id, other_secret),
            manager,
            everything["MARKETPLACE_DATABASE_URL"],
            database,
        )
    finally:
        manager.stop()
        listener.close()


# Calls -------------------------------------------------------------------------------------------


def signed(to: Market, operation: str, members: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """One call's body and headers. Signed once and sent often, so that the client costs next to nothing."""
    body = json.dumps(members).encode()
    request = AWSRequest(
        "POST",
        f"http://127.0.0.1:{to.port}/",
        data=body,
        headers={
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"MTurkRequesterServiceV20170117.{operation}",
        },
    )
    SigV4Auth(Credentials(*to.keys), "mturk-requester", "us-east-1").add_auth(request)
    return body, dict(request.headers.items())


def measure_two(to: Market, hit_type: str, seconds: float) -> tuple[float, float]:
    """HITs a second that one requester makes, and that two make together, with as many callers."""
    other = to.seen_by(to.other_keys)
    mine, theirs = (
        {"HITTypeId": each, **HIT} for each in (hit_type, other.client.create_hit_type(**TYPE)["HITTypeId"])
    )
    one = measure(to, partial(sender, to, CREATE, mine), seconds)
    turns = itertools.cycle([partial(sender, to, CREATE, mine), partial(sender, other, CREATE, theirs)])
    two = measure(to, lambda: next(turns)(), seconds)
    return one.per_second, two.per_second


def measure(to: Market, prepare: Callable[[], Callable[[], None]], seconds: float) -> Measured:
    """What a call takes when CLIENTS callers make it over and over; each prepares its own."""
    calls = [prepare() for _ in range(CLIENTS)]
    ends = time.monotonic() + seconds

    def work(call: Callable[[], None]) -> int:
        done = 0
        while time.monotonic() < ends:
            call()
            done += 1
        return done

    before, began = to.cpu_seconds(), time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = sum(pool.map(work, calls))
    took, after = time.monotonic() - began, to.cpu_seconds()
    return Measured(
        done / took,
        (after["marketplace"] - before["marketplace"]) * 1000 / done,
        (after["postgres"] - before["postgres"]) * 1000 / done,
    )


def sender(to: Market, operation: str, members: dict[str, Any]) -> Callable[[], None]:
    """Sends one call over a connection of its own."""
    body, headers = signed(to, operation, members)
    connection = http.client.HTTPConnection("127.0.0.1", to.port, timeout=60)

    def send() -> None:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {text[:300]!r}")

    return send


# What stands there -------------------------------------------------------------------------------


def clone(to: Market, table: str, count: int, **changed: str) -> None:
    """So many more rows like the table's newest; `changed` are columns as SQL over `n`, from 1 to `count`."""
    columns = [
        name
        for (name,) in to.sql(
            "select column_name from information_schema.columns where table_name = %s and column_name <> 'id'",
            table,
        )
    ]
    values = ", ".join(changed.get(name, f"model.{name}") for name in columns)
    to.sql(
        f"insert into {table} ({', '.join(columns)}) select {values} "
        f"from (select * from {table} order by id desc limit 1) as model, generate_series(1, {count}) as n"
    )


def fill(to: Market, wanted: int) -> None:
    """Bring the account to so many HITs, all open."""
    (there,) = to.sql("select count(*) from marketplace_hit")[0]
    clone(to, "marketplace_hit", wanted - there, mturk_id=f"'3' || lpad((n + {there})::text, 29, 'F')")
    to.sql("vacuum analyze")


def answer_hit(to: Market, hit_id: str) -> None:
    """A hundred submitted answers on the HIT, made from one that a test Worker really gave."""
    group = to.client.get_hit(HITId=hit_id)["HIT"]["HITGroupId"]
    visitor = Visitor(to.port, group)
    visitor.submit(visitor.accept(hit_id))
    clone(to, "marketplace_worker", 99, mturk_id="'ATEST' || lpad(n::text, 9, '0')")
    clone(
        to,
        "marketplace_assignment",
        99,
        mturk_id="'3' || lpad(n::text, 29, 'A')",
        worker_id="model.worker_id + n",
    )
    to.sql(
        "update marketplace_hit set submitted_count = 100 where mturk_id = %s",
        hit_id,
    )


class Visitor:
    """A test Worker's browser on the worker site."""

    def __init__(self, port: int, group: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.group = group
        self.connection.request("GET", f"/test-worker?group={group}")
        answer = self.connection.getresponse()
        answer.read()
        self.jar = SimpleCookie("; ".join(answer.headers.get_all("Set-Cookie", [])))

    def _post(self, address: str, **fields: str) -> tuple[int, str]:
        body = urlencode({"csrfmiddlewaretoken": self.jar["marketplace_csrf"].value, **fields})
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": self.jar.output([], header="", sep=";").strip(),
        }
        self.connection.request("POST", address, body, headers)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("Location", "")

    def accept(self, hit_id: str = "") -> str:
        """Accept the HIT, or any of the group; returns the AssignmentId."""
        _, place = self._post(f"/projects/{self.group}/tasks/accept", hit=hit_id)
        if not place.startswith("/tasks/"):
            raise RuntimeError(f"refused: sent to {place!r}")
        return place.removeprefix("/tasks/")

    def submit(self, assignment_id: str) -> bool:
        """Answer it; returns whether the answer was taken."""
        return self._post("/mturk/externalSubmit", assignmentId=assignment_id, label="yes")[0] == 200

    def give_back(self, assignment_id: str) -> None:
        self._post(f"/tasks/{assignment_id}/return")


# Running -----------------------------------------------------------------------------------------


def measure_api(to: Market, hit_type: str, answered: str, seconds: float) -> dict[str, Measured]:
    """The three calls, as the account stands."""
    calls = {
        CREATE: {"HITTypeId": hit_type, **HIT},
        "ListHITs, 100": {"MaxResults": 100},
        "ListAssignmentsForHIT, 100": {"HITId": answered, "MaxResults": 100},
    }
    return {
        name: measure(to, partial(sender, to, name.split(",")[0], members), seconds)
        for name, members in calls.items()
    }


def measure_accept(to: Market, group: str, seconds: float) -> Measured:
    """Eight Workers who accept a HIT and give it back, over and over; one that is refused ends the bench."""

    def come() -> Callable[[], None]:
        visitor = Visitor(to.port, group)
        return lambda: visitor.give_back(visitor.accept())

    return measure(to, come, seconds)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench marketplace-api", description=__doc__)
    parser.add_argument("--hits", type=int, default=1_000_000, help="HITs in the large account")
    parser.add_argument("--seconds", type=float, default=10, help="how long each figure is taken")
    wish = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="mturkhub-bench-") as folder, market(Path(folder)) as to:
        hit_type = to.client.create_hit_type(**TYPE)["HITTypeId"]
        make = {"HITTypeId": hit_type, "LifetimeInSeconds": 25_000_000, "Question": QUESTION}
        answered = to.client.create_hit_with_hit_type(**make, MaxAssignments=100)["HIT"]["HITId"]
        answer_hit(to, answered)
        model = to.client.create_hit_with_hit_type(**make)["HIT"]
        figures: dict[str, list[Measured]] = {}
        for hits, open_hits in ((1_000, 1_000), (wish.hits, 50_000)):
            fill(to, open_hits)
            figures.setdefault("accept and return", []).append(
                measure_accept(to, model["HITGroupId"], wish.seconds)
            )
            fill(to, hits)
            for name, measured in measure_api(to, hit_type, answered, wish.seconds).items():
                figures.setdefault(name, []).append(measured)
        one, two = measure_two(to, hit_type, wish.seconds)
    print(
        f"{CLIENTS} callers at once, {os.cpu_count()} cores; small: 1,000 HITs (accepting: 1,000 open ones), "
        f"large: {wish.hits:,} (accepting: 50,000)"
    )
    print(f"{'':<28}{'a second':>18}{'marketplace ms':>20}{'Postgres ms':>18}{'CPU':>8}{'time':>8}")
    for name, (small, large) in figures.items():
        print(
            f"{name:<28}{small.per_second:>9.0f}{large.per_second:>9.0f}"
            f"{small.marketplace_ms:>10.2f}{large.marketplace_ms:>10.2f}"
            f"{small.postgres_ms:>9.2f}{large.postgres_ms:>9.2f}"
            f"{large.cpu_ms / small.cpu_ms:>7.2f}x{small.per_second / large.per_second:>7.2f}x"
        )
    print(f"{CREATE}: {one:.0f} a second by one requester, {two:.0f} by two, {two / one:.2f} times")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What the marketplace answered with success is there afterwards, whatever is killed, and acted upon exactly once."""

import contextlib
import http.client
import logging
import random
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg2
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from bench._books import UNBALANCED
from bench.marketplace_api import QUESTION, TYPE, Market, Visitor, market
from tests.servers import wait

# Approves whatever is submitted, as soon as it is.
POLICY = {
    "PolicyName": "ScoreMyKnownAnswers/2011-09-01",
    "Parameters": [
        {"Key": "AnswerKey", "MapEntries": [{"Key": "label", "Values": ["yes"]}]},
        {"Key": "ApproveIfKnownAnswerScoreIsAtLeast", "Values": ["1"]},
    ],
}
log = logging.getLogger(__name__)
TARGETS = ("postgres", "a child of postgres", "marketplace", "a child of marketplace")


@dataclass
class Load:
    """Requesters who create and Workers who answer until told to stop, and what they were told is done."""

    to: Market
    hit_type: str
    group: str
    stop: threading.Event = field(default_factory=threading.Event)
    created: set[str] = field(default_factory=set)
    submitted: set[str] = field(default_factory=set)
    failures: int = 0

    def create(self) -> None:
        with contextlib.closing(self.to.client) as client:
            while not self.stop.is_set():
                with self._forgiving():
                    made = client.create_hit_with_hit_type(
                        HITTypeId=self.hit_type,
                        LifetimeInSeconds=3600,
                        Question=QUESTION,
                        AssignmentReviewPolicy=POLICY,
                        UniqueRequestToken=str(uuid.uuid4()),
                    )
                    self.created.add(made["HIT"]["HITId"])

    def work(self) -> None:
        while not self.stop.is_set():
            with self._forgiving():
                visitor = Visitor(self.to.port, self.group)
                with contextlib.closing(visitor.connection):
                    while not self.stop.is_set():
                        assignment_id = visitor.accept()
                        if visitor.submit(assignment_id):
                            self.submitted.add(assignment_id)

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        """Whatever is refused or cut off has promised nothing."""
        try:
            yield
        except (BotoCoreError, ClientError, OSError, http.client.HTTPException, RuntimeError, KeyError):
            self.failures += 1
            time.sleep(0.05)


@pytest.mark.timeout(300)
def test_what_was_answered_with_success_is_never_lost(tmp_path: Path) -> None:
    seed = secrets.randbelow(10**6)
    log.warning("Seed %s", seed)
    chance = random.Random(seed)
    with market(tmp_path / "home") as to:
        hit_type = to.client.create_hit_type(**TYPE)["HITTypeId"]
        make = {"HITTypeId": hit_type, "LifetimeInSeconds": 3600, "Question": QUESTION}
        first = to.client.create_hit_with_hit_type(**make, AssignmentReviewPolicy=POLICY)["HIT"]
        load = Load(to, hit_type, first["HITGroupId"])
        threads = [threading.Thread(target=act) for act in [load.create, load.work] * 2]
        for thread in threads:
            thread.start()
        for target in chance.sample(TARGETS, len(TARGETS)):
            done = len(load.created), len(load.submitted)
            # Something of each kind comes through between two kills.
            looked_after(to, lambda done=done: len(load.created) > done[0] and len(load.submitted) > done[1])  # type: ignore[misc]
            until = time.monotonic() + chance.uniform(0.1, 0.6)
            looked_after(to, lambda until=until: time.monotonic() > until)  # type: ignore[misc]
            kill(to, target, chance)
        load.stop.set()
        looked_after(to, lambda: not any(thread.is_alive() for thread in threads))
        looked_after(to, lambda: answers(to))

        check(to, load)


def looked_after(to: Market, until: Callable[[], object]) -> None:
    """Bring back what dies until it is so. Only this thread may: what another starts would end with it."""
    deadline = time.monotonic() + 60
    to.manager.keep_up(until=lambda: until() or time.monotonic() > deadline)
    assert until()


def kill(to: Market, target: str, chance: random.Random) -> None:
    name = target.removeprefix("a child of ")
    [process] = [run.process for run in to.manager.runs if run.service.name == name]
    assert process is not None
    service = psutil.Process(process.pid)
    children = service.children(recursive=True)
    for victim in [chance.choice(children)] if target != name else [service, *children]:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()


def answers(to: Market) -> bool:
    with contextlib.suppress(BotoCoreError, ClientError):
        return bool(to.client.get_account_balance())
    return False


def check(to: Market, load: Load) -> None:
    assert load.failures, "nothing was cut off"
    with contextlib.closing(psycopg2.connect(to.database_url)) as database:
        database.autocommit = True
        with database.cursor() as cursor:

            def column(query: str) -> list[str]:
                cursor.execute(query)
                return [value for (value,) in cursor.fetchall()]

            there = column("select mturk_id from marketplace_hit")
            assert load.created <= set(there)
            # One HIT for each token that acted, and the first one.
            assert len(there) == len(column("select outcome from marketplace_requesttoken")) + 1

            # Time brings what was interrupted to its end.
            wait(lambda: not column("select mturk_id from marketplace_assignment where state = 'submitted'"))
            approved = column("select mturk_id from marketplace_assignment where state = 'approved'")
            assert load.submitted <= set(approved)
            acted = "select target_id from marketplace_reviewaction where name = 'approve'"
            assert sorted(column(acted)) == sorted(approved)
            paid = (
                "select a.mturk_id from marketplace_ledgerentry e "
                "join marketplace_assignment a on a.id = e.assignment_id where e.target = 'workers'"
            )
            assert sorted(column(paid)) == sorted(approved)
            assert column(UNBALANCED) == []

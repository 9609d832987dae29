"""The marketplace behind a proxy that loses, cuts, throttles, hangs and garbles: both books agree in the end.

`bench faults` plays more and larger rounds, with kills.
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection as database

from bench._batches import make_batch
from bench._books import BONUS, Books, Wanted, compare
from mturkhub.accounts.credentials import gateway_for
from mturkhub.accounts.models import Connection
from mturkhub.command.settings import beside
from mturkhub.common import clock
from mturkhub.gateway import client, rate_budget
from mturkhub.gateway.rate_budget import Lane
from mturkhub.intentions.models import Operation
from mturkhub.intentions.settling import clear_all_stale, settle_connection
from projects import bulk_deciding
from projects.actions.batches import close_batch, publish_batch
from projects.actions.hits import extend_answers
from projects.actions.payments import send_bonus
from projects.actions.reviews import decide_many
from projects.collecting import sweep
from projects.ending import end
from projects.models import HIT, Assignment, Batch, Bonus, Decision
from projects.operating import send_operations
from projects.paying import send_bonuses
from projects.publishing import ensure_hit_type, publish_chunk
from projects.sending import send_decisions
from projects.states import Verdict
from tests.conftest import Person
from tests.faulty_proxy import FaultyProxy, faulty_proxy, told
from tests.servers import MarketplaceServer

ROWS, ANSWERS, BONUSES = 24, 1, 10
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "READ_TIMEOUT", 0.5)
    # Faults are no limit: what is drawn as throttled says nothing about the marketplace's.
    monkeypatch.setattr(rate_budget.RateBudget, "cut", lambda *_: False)


def until(done: Callable[[], bool], step: Callable[[], object], connection: Connection) -> None:
    """Do what beat does, time and again, until it is done; no row waits for its time."""
    for _ in range(60):
        if done():
            return
        now = clock.now()
        HIT.objects.filter(publish_state="queued").update(due_at=now)
        for intentions in (Decision, Operation, Bonus):
            intentions.objects.filter(state="queued").update(due_at=now)
        step()
        clear_all_stale()
        settle_connection(connection, gateway_for(connection))
    raise AssertionError("it does not come to an end")


def publish_all(batch: Batch, connection: Connection) -> None:
    def step() -> None:
        publish_chunk(Batch.objects.get(pk=batch.pk), gateway=gateway_for(connection, Lane.CREATING))

    until(lambda: Batch.objects.get(pk=batch.pk).state == "live", step, connection)


def collect_all(batch: Batch, connection: Connection, answers: int = ANSWERS) -> None:
    stored = Assignment.objects.filter(batch=batch)
    until(
        lambda: stored.count() == ROWS * answers,
        lambda: sweep(connection, gateway=gateway_for(connection, Lane.COLLECTING)),
        connection,
    )


def decide_all(batch: Batch, connection: Connection, by: Person) -> None:
    answers = Assignment.objects.filter(batch=batch)
    job = decide_many(batch, answers, by=by.actor, verdict=Verdict.APPROVE)
    while bulk_deciding.run_chunk(job):
        pass
    until(
        lambda: not answers.exclude(status="Approved", pending_verdict="").exists(),
        lambda: send_decisions(connection, gateway=gateway_for(connection)),
        connection,
    )


def extend_all(batch: Batch, connection: Connection, by: Person) -> None:
    extend_answers(batch, by=by.actor, answers=1)
    change_all(batch, connection)


def change_all(batch: Batch, connection: Connection) -> None:
    until(
        lambda: (
            not Operation.objects.filter(subject_id=batch.pk)
            .exclude(state__in=["done", "overtaken"])
            .exists()
        ),
        lambda: send_operations(connection, gateway=gateway_for(connection)),
        connection,
    )


def pay_some(batch: Batch, connection: Connection, by: Person) -> None:
    for answer in Assignment.objects.filter(batch=batch).order_by("pk")[:BONUSES]:
        send_bonus(answer, by=by.actor, amount=BONUS, reason="Careful work")
    until(
        lambda: not Bonus.objects.exclude(state="done").exists(),
        lambda: send_bonuses(connection, gateway=gateway_for(connection)),
        connection,
    )


def close_all(batch: Batch, connection: Connection, by: Person) -> None:
    close_batch(batch, by=by.actor, delete=True)

    def step() -> None:
        end(Batch.objects.get(pk=batch.pk))
        send_operations(connection, gateway=gateway_for(connection))
        sweep(connection, gateway=gateway_for(connection, Lane.COLLECTING))

    until(lambda: Batch.objects.get(pk=batch.pk).state == "closed", step, connection)


def answer_all(title: str, server: MarketplaceServer, answers: int = ANSWERS) -> None:
    command = [sys.executable, "-m", "bench._answering", title, str(answers)]
    subprocess.run(command, env=server.env, cwd=ROOT, check=True)


def sweep_twice(connection: Connection, proxy: FaultyProxy) -> None:
    proxy.share = 0
    for _ in range(2):
        done = sweep(connection, gateway=gateway_for(connection, Lane.COLLECTING))
        assert done is not None
        assert done.is_complete, done.problem


def books(server: MarketplaceServer) -> Books:
    return Books(beside(os.environ["DATABASE_URL"], str(database.settings_dict["NAME"])), server.database_url)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_grace")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_whatever_goes_wrong_on_the_line_nothing_is_lost_or_doubled(
    number: int, olive: Person, marketplace_connection: Connection, marketplace_server: MarketplaceServer
) -> None:
    seed = f"{random.SystemRandom().randrange(10**6)} {number}"
    print("seed", seed)  # noqa: T201 (pytest shows it when the test fails)
    connection, title = marketplace_connection, f"Faults {seed}"
    with faulty_proxy(marketplace_server.url, seed=seed, hang=0.7) as proxy:
        Connection.objects.update(endpoint=proxy.url)
        connection.refresh_from_db()
        by, batch = make_batch(title, ROWS, ANSWERS)
        publish_batch(batch, by=by)
        publish_all(batch, connection)
        answer_all(title, marketplace_server)
        collect_all(batch, connection)
        decide_all(batch, connection, olive)
        extend_all(batch, connection, olive)
        answer_all(title, marketplace_server, ANSWERS + 1)
        collect_all(batch, connection, ANSWERS + 1)
        decide_all(batch, connection, olive)
        pay_some(batch, connection, olive)
        close_all(batch, connection, olive)
        print(told(proxy))  # noqa: T201
        both, wanted = books(marketplace_server), Wanted(ROWS, ANSWERS + 1, bonuses=BONUSES, is_closed=True)
        assert compare(both, batch.pk, title, wanted) == []

        sweep_twice(connection, proxy)

        assert compare(both, batch.pk, title, wanted) == []
        assert sum(proxy.counts[fault] for fault in proxy.counts if fault != "well") > ROWS / 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_grace")
def test_an_outage_longer_than_a_token_lives_doubles_nothing(
    olive: Person, marketplace_connection: Connection, marketplace_server: MarketplaceServer
) -> None:
    seed = str(random.SystemRandom().randrange(10**6))
    print("seed", seed)  # noqa: T201
    connection, title = marketplace_connection, f"Outage {seed}"
    with faulty_proxy(marketplace_server.url, seed=seed, share=0) as proxy:
        Connection.objects.update(endpoint=proxy.url)
        connection.refresh_from_db()
        by, batch = make_batch(title, ROWS, ANSWERS)
        publish_batch(batch, by=by)
        # The terms are known; then the line goes in the middle of the batch.
        proxy.counts.clear()
        gateway = gateway_for(connection, Lane.CREATING)
        ensure_hit_type(batch, gateway=gateway)
        proxy.outage = True
        publish_chunk(batch, gateway=gateway)
        assert HIT.objects.filter(batch=batch, publish_state="unknown").count() >= 1
        lost = proxy.counts["cut after"]

        # More than a day without an answer: MTurk has forgotten the tokens by then.
        clock.advance(timedelta(hours=25))
        marketplace_server.manage("advance_clock", str(25 * 3600))
        proxy.outage = False
        assert settle_connection(connection, gateway) == 0, "sent again without looking"
        until(
            lambda: Batch.objects.get(pk=batch.pk).state == "live",
            lambda: [sweep(connection, gateway=gateway), publish_chunk(batch, gateway=gateway)],
            connection,
        )
        answer_all(title, marketplace_server)
        collect_all(batch, connection)
        decide_all(batch, connection, olive)

    assert lost > 0
    assert compare(books(marketplace_server), batch.pk, title, Wanted(ROWS, ANSWERS)) == []

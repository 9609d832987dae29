"""A sender is killed in the middle, again and again, against the marketplace that really runs."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection as database

from mturkhub.accounts.credentials import gateway_for
from mturkhub.accounts.models import Connection
from mturkhub.command.settings import beside, dashboard
from mturkhub.common import clock
from mturkhub.intentions.models import Intention
from mturkhub.intentions.settling import clear_all_stale, settle_connection
from projects import bulk_deciding
from projects.actions.batches import publish_batch
from projects.actions.reviews import decide_many
from projects.collecting import sweep
from projects.models import HIT, Assignment, Batch, Decision
from projects.publishing import publish_chunk
from projects.sending import send_decisions
from projects.states import Verdict
from tests.conftest import Person
from tests.factories import BatchFactory, ProjectFactory
from tests.servers import MarketplaceServer

ROWS, ANSWERS, ROUNDS = 150, 2, 3

PUBLISH = """
from projects.models import Batch
from projects.publishing import publish_chunk
batch = Batch.objects.get(pk=key)
send = lambda: publish_chunk(batch, gateway=gateway_for(batch.connection))
"""
DECIDE = """
from mturkhub.accounts.models import Connection
from projects.sending import send_decisions
connection = Connection.objects.get(pk=key)
send = lambda: send_decisions(connection, gateway=gateway_for(connection))
"""


def kill_while_sending(program: str, key: int, model: type[Intention], chance: random.Random) -> int:
    """Start a sender, kill it once rows are being sent; how many were in `sending` when it was gone."""
    text = (
        "import django; django.setup()\nfrom mturkhub.accounts.credentials import gateway_for\n"
        f"key = {key}\n{program}\nwhile send(): pass\n"
    )
    env = dashboard(os.environ) | {
        "DATABASE_URL": beside(os.environ["DATABASE_URL"], str(database.settings_dict["NAME"]))
    }
    process = subprocess.Popen([sys.executable, "-c", text], env=env)
    sending = model._default_manager.filter(**{model.STATE_FIELD: "sending"})
    try:
        while process.poll() is None and not sending.exists():
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.05))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return sending.count()


def recover(connection: Connection, model: type[Intention]) -> None:
    """What beat does once the dead sender's leases have run out."""
    model._default_manager.filter(lease_until__isnull=False).update(
        lease_until=clock.real_now() - timedelta(seconds=1)
    )
    clear_all_stale()
    settle_connection(connection, gateway_for(connection))


def be_due(model: type[Intention]) -> None:
    model._default_manager.filter(**{model.STATE_FIELD: "queued"}).update(due_at=clock.now())


def go_on(send: Callable[[], bool], model: type[Intention], connection: Connection) -> None:
    open_states = ["queued", "sending", "unknown"]
    for _ in range(20):
        be_due(model)
        while send():
            be_due(model)
        if not model._default_manager.filter(**{f"{model.STATE_FIELD}__in": open_states}).exists():
            return
        recover(connection, model)
    raise AssertionError("rows are still open")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_grace")
@pytest.mark.timeout(300)
def test_killed_senders_create_each_hit_and_tell_each_decision_once(
    olive: Person, marketplace_connection: Connection, marketplace_server: MarketplaceServer
) -> None:
    connection, gateway = marketplace_connection, gateway_for(marketplace_connection)
    seed = random.SystemRandom().randrange(10**6)
    print("seed", seed)  # noqa: T201 (pytest shows it when the test fails)
    chance = random.Random(seed)
    batch = publish_batch(
        BatchFactory(
            project=ProjectFactory(team=olive.team, created_by=olive.user),
            connection=connection,
            rows=ROWS,
            max_assignments=ANSWERS,
            title=f"Killed {seed}",
        ),
        by=olive.actor,
    )

    in_flight = []
    for _ in range(ROUNDS):
        in_flight.append(kill_while_sending(PUBLISH, batch.pk, HIT, chance))
        recover(connection, HIT)
    go_on(lambda: publish_chunk(Batch.objects.get(pk=batch.pk), gateway=gateway), HIT, connection)

    assert any(in_flight), "no sender was killed while rows were being sent"
    ours = {str(hit.public_id) for hit in HIT.objects.all()}
    annotated = Counter(
        hit.requester_annotation.split("/")[-1].rstrip(";") for page in gateway.list_hits() for hit in page
    )
    assert {name: annotated[name] for name in ours} == dict.fromkeys(ours, 1)
    batch.refresh_from_db()
    assert (batch.state, batch.rows_no_answer) == ("live", ROWS)

    group = HIT.objects.select_related("hit_type")[0].hit_type
    assert group
    marketplace_server.manage("work", "--group", group.mturk_id, "--seed", "1")
    sweep(connection, gateway=gateway)
    job = decide_many(batch, Assignment.objects.filter(batch=batch), by=olive.actor, verdict=Verdict.APPROVE)
    assert job.total == ROWS * ANSWERS
    while bulk_deciding.run_chunk(job):
        pass

    in_flight = []
    for _ in range(ROUNDS):
        in_flight.append(kill_while_sending(DECIDE, connection.pk, Decision, chance))
        recover(connection, Decision)
    go_on(lambda: send_decisions(connection, gateway=gateway), Decision, connection)
    sweep(connection, gateway=gateway)

    assert any(in_flight), "no sender was killed while rows were being sent"
    assert set(Decision.objects.values_list("state", flat=True)) == {"done"}
    assert Decision.objects.count() == ROWS * ANSWERS
    batch.refresh_from_db()
    assert (batch.answers_approved, batch.answers_submitted, batch.rows_decided) == (ROWS * ANSWERS, 0, ROWS)

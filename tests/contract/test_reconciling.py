"""Our ledger against the marketplace's own books, over HTTP: every cent is explained, and what is not ours is one sum."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest

from mturkhub.accounts.credentials import Keys, encrypt, gateway_for
from mturkhub.accounts.models import Connection
from mturkhub.intentions import claiming
from projects.actions.batches import publish_batch
from projects.actions.hits import expire_early
from projects.actions.payments import send_bonus
from projects.actions.reviews import approve_assignment, overturn_rejection, reject_assignment
from projects.balances import refresh_balance
from projects.collecting import sweep
from projects.models import HIT, Assignment, Batch, LedgerEntry, Reconciliation
from projects.operating import send_operations
from projects.paying import send_bonuses
from projects.publishing import publish_chunk
from projects.sending import send_decisions
from tests.conftest import Person
from tests.contract.conftest import Commands
from tests.factories import BatchFactory, ConnectionFactory, ProjectFactory
from tests.servers import MarketplaceServer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def bells(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Celery listens here: the test calls the background functions itself."""
    monkeypatch.setattr(claiming, "_ring_now", lambda task, keys, at: None)


@pytest.fixture
def requester() -> str:
    """The name of a requester of its own, so that nothing else moves its balance."""
    return f"Ledger {uuid.uuid4()}"


@pytest.fixture
def keys(manage: Commands, requester: str) -> Keys:
    return Keys(*manage("add_requester", requester).split())


@pytest.fixture
def own(team: Any, marketplace_server: MarketplaceServer, keys: Keys) -> Connection:
    team.grace_time = timedelta(0)
    team.save()
    return ConnectionFactory(account__team=team, endpoint=marketplace_server.url, credentials=encrypt(keys))


@pytest.fixture
def somebody_else(marketplace_server: MarketplaceServer, keys: Keys) -> Iterator[Any]:
    """A script with the same keys that knows nothing of us."""
    client = boto3.client(
        "mturk",
        region_name="us-east-1",
        endpoint_url=marketplace_server.url,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
    )
    yield client
    client.close()


def read(connection: Connection) -> Reconciliation:
    refresh_balance(connection, gateway=gateway_for(connection))
    return Reconciliation.objects.get(connection=connection)


def test_every_cent_is_explained_and_what_is_not_ours_is_one_sum(
    own: Connection, mina: Person, manage: Commands, requester: str, somebody_else: Any
) -> None:
    gateway = gateway_for(own)
    opening = read(own)
    assert (opening.balance, opening.not_ours) == (opening.opening, 0)

    # Two rows of three answers; three answers come.
    project = ProjectFactory(team=mina.team, created_by=mina.user)
    batch = publish_batch(BatchFactory(project=project, connection=own, rows=2), by=mina.actor)
    assert (read(own).on_its_way, read(own).not_ours) == (Decimal("0.36"), 0)
    publish_chunk(batch, gateway=gateway)
    assert (read(own).held, read(own).not_ours) == (Decimal("0.36"), 0)
    hit = HIT.objects.get(batch=batch, row__number=1)
    for worker in ("ATESTONE", "ATESTTWO", "ATESTTHREE"):
        manage("worker_act", "accept", str(hit.mturk_id), worker)
        manage("worker_act", "submit", str(hit.mturk_id), worker, '{"sentiment": "7"}')
    sweep(own, gateway=gateway)

    # One is approved, two are rejected, of which one is overturned; a bonus; the other row ends early.
    first, second, third = Assignment.objects.filter(batch=batch).order_by("pk")
    approve_assignment(first, by=mina.actor)
    for answer in (second, third):
        reject_assignment(answer, by=mina.actor, feedback="Empty.")
    send_decisions(own, gateway=gateway)
    assert (read(own).paid, read(own).not_ours) == (Decimal("0.06"), 0)
    overturn_rejection(third, by=mina.actor)
    send_decisions(own, gateway=gateway)
    send_bonus(first, by=mina.actor, amount=Decimal("0.50"), reason="Careful")
    send_bonuses(own, gateway=gateway)
    assert (read(own).paid, read(own).not_ours) == (Decimal("0.72"), 0)
    expire_early(Batch.objects.get(pk=batch.pk), by=mina.actor)
    send_operations(own, gateway=gateway)
    sweep(own, gateway=gateway)

    ours = read(own)
    assert (ours.held, ours.paid, ours.not_ours) == (0, Decimal("0.72"), 0)
    assert ours.balance == ours.opening - Decimal("0.72")
    kinds = [each.kind for each in LedgerEntry.objects.filter(batch=batch).order_by("pk")]
    assert kinds[0] == "held"
    assert sorted(kinds) == sorted(["held"] * 3 + ["paid"] * 3 + ["released"] * 3)

    # Money comes, and somebody else spends.
    manage("deposit", requester, "12.00")
    somebody_else.create_hit(
        Title="Elsewhere",
        Description="By another script.",
        Reward="0.10",
        MaxAssignments=5,
        AssignmentDurationInSeconds=60,
        LifetimeInSeconds=3600,
        Question='<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/'
        'HTMLQuestion.xsd"><HTMLContent><![CDATA[<form></form>]]></HTMLContent><FrameHeight>0</FrameHeight>'
        "</HTMLQuestion>",
    )
    sweep(own, gateway=gateway)

    assert read(own).not_ours == Decimal("12.00") - 5 * Decimal("0.12")

"""What the balance should be by the ledger, and the one line about what it does not explain."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from projects import tasks
from projects.actions.batches import publish_batch
from projects.actions.hits import extend_answers, extend_time
from projects.actions.payments import send_bonus
from projects.actions.reviews import approve_assignment, overturn_rejection, reject_assignment
from projects.balances import refresh_balance
from projects.models import Reconciliation
from projects.paying import send_bonuses
from projects.publishing import publish_chunk
from tests.conftest import Person
from tests.factories import AccountGrantFactory, BatchFactory, ConnectionFactory, ProjectFactory
from tests.fakes.mturk import FakeMTurk, lost_answer
from tests.projects.live import Live
from tests.projects.pages import words

pytestmark = pytest.mark.django_db


@pytest.fixture
def reading(live: Live) -> Callable[[], Reconciliation]:
    """Reads the balance now; the first reading was made just before."""

    def read() -> Reconciliation:
        refresh_balance(live.connection, gateway=live.market)
        return Reconciliation.objects.get()

    read()
    return read


def test_the_first_reading_opens_the_account_and_later_ones_keep_it(
    live: Live, reading: Callable[[], Reconciliation]
) -> None:
    opening = Reconciliation.objects.get()
    live.later(days=1)

    newest = reading()

    # As it was before what is held by now.
    assert opening.opening == live.market.deposited
    assert (newest.opening, newest.opened_at) == (opening.opening, opening.opened_at)
    assert newest.read_at > opening.read_at
    assert (newest.held, newest.paid, newest.not_ours) == (Decimal("0.36"), Decimal(0), Decimal(0))


def test_approving_rejecting_and_paying_leave_nothing_unexplained(
    live: Live, mina: Person, no_grace: None, reading: Callable[[], Reconciliation]
) -> None:
    live.submit(["AWANDA", "AWILL"])
    live.collect()
    first, second = live.answers
    approve_assignment(first, by=mina.actor)
    reject_assignment(second, by=mina.actor, feedback="Empty.")
    live.send()
    send_bonus(first, by=mina.actor, amount=Decimal("0.50"), reason="Careful")
    send_bonuses(live.connection, gateway=live.market)

    now = reading()

    assert (now.held, now.paid, now.on_its_way) == (Decimal("0.24"), Decimal("0.66"), Decimal(0))
    assert now.not_ours == 0


def test_what_is_queued_is_on_its_way_and_not_expected_to_be_held(
    live: Live, mina: Person, no_grace: None, reading: Callable[[], Reconciliation]
) -> None:
    live.submit(["AWANDA"])
    live.collect()
    [answer] = live.answers
    reject_assignment(answer, by=mina.actor, feedback="Empty.")
    live.send()
    publish_batch(BatchFactory(project=live.batch.project, connection=live.connection, rows=3), by=mina.actor)
    overturn_rejection(answer, by=mina.actor)
    extend_answers(live.batch, by=mina.actor, answers=1)
    send_bonus(answer, by=mina.actor, amount=Decimal("0.50"), reason="Careful")

    now = reading()

    assert now.on_its_way == Decimal("0.54") + Decimal("0.06") + Decimal("0.12") + Decimal("0.60")
    assert (now.held, now.not_ours) == (Decimal("0.30"), 0)


def test_what_opens_again_is_on_its_way_until_it_is_open(
    live: Live, mina: Person, reading: Callable[[], Reconciliation]
) -> None:
    live.later(days=8)
    live.collect()
    extend_time(live.batch, by=mina.actor, open_for=timedelta(days=1))
    before = reading()
    live.operate()
    after = reading()

    assert (before.held, before.on_its_way, before.not_ours) == (0, Decimal("0.36"), 0)
    assert (after.held, after.on_its_way, after.not_ours) == (Decimal("0.36"), 0, 0)


def test_a_call_without_an_answer_is_named_until_it_is_settled(
    live: Live, mina: Person, reading: Callable[[], Reconciliation]
) -> None:
    batch = BatchFactory(project=live.batch.project, connection=live.connection, rows=1)
    publish_batch(batch, by=mina.actor)
    live.market.fail("CreateHITWithHITType", lost_answer, happens=True)
    publish_chunk(batch, gateway=live.market)

    unsure = reading()
    live.collect()
    sure = reading()

    assert (unsure.on_its_way, unsure.not_ours) == (Decimal("0.18"), Decimal("-0.18"))
    assert (sure.on_its_way, sure.not_ours) == (0, 0)


def test_a_deposit_and_work_made_elsewhere_are_not_ours(
    live: Live, reading: Callable[[], Reconciliation], olive: Person
) -> None:
    live.market.deposited += Decimal("25.00")
    live.market.paid += Decimal("1.20")

    assert reading().not_ours == Decimal("23.80")
    text = words(olive.client.get("/money/").content.decode())
    assert "Not ours deposits, withdrawals, and work made elsewhere with this account $23.80" in text


def test_all_teams_of_an_account_are_added_up_and_its_owners_alone_see_it(
    live: Live, olive: Person, mina: Person, stan: Person, reading: Callable[[], Reconciliation]
) -> None:
    AccountGrantFactory(account=live.connection.account, team=stan.team)
    project = ProjectFactory(team=stan.team, created_by=stan.user)
    theirs = publish_batch(BatchFactory(project=project, connection=live.connection, rows=1), by=stan.actor)
    publish_chunk(theirs, gateway=live.market)

    now = reading()

    assert (now.held, now.not_ours) == (Decimal("0.54"), 0)
    of_connection = f"/money/ledger/?connection={live.connection.public_id}"
    for path in ("/money/", of_connection):
        assert "Where the balance went" in words(olive.client.get(path).content.decode())
        for other in (mina, stan):
            assert "Where the balance went" not in words(other.client.get(path).content.decode())
    assert "Held −$0.54" not in words(olive.client.get(of_connection).content.decode())
    assert "the ledger explains every cent" in words(olive.client.get(of_connection).content.decode())
    assert "Held now $0.18" in words(stan.client.get(of_connection).content.decode())


def test_the_sandbox_is_never_compared(olive: Person, connection: Connection, market: FakeMTurk) -> None:
    sandbox = ConnectionFactory(account=connection.account, name="Sandbox", environment="sandbox")
    refresh_balance(sandbox, gateway=market)

    text = words(olive.client.get("/money/").content.decode())

    assert not Reconciliation.objects.exists()
    assert "The sandbox always says $10,000.00" in text
    assert "The market has not told its balance yet." in text


def test_a_connection_that_was_never_compared_is_asked_at_once(
    connection: Connection, market: FakeMTurk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one whose balance is known from its test: whatever happens before the first reading is unexplained."""
    Connection.objects.update(balance=Decimal(5), balance_at=clock.now())
    monkeypatch.setattr(tasks, "gateway_for", lambda connection, lane: market)

    tasks.refresh_balances()
    tasks.refresh_balances()

    assert market.calls["GetAccountBalance"] == 1
    assert Reconciliation.objects.get().connection == connection

"""A bonus reaches its Worker once, whatever goes wrong on the way, and none is paid twice after a restore."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from mturkhub.accounts.models import Event
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.intentions.claiming import clear_stale
from mturkhub.intentions.settling import settle_connection
from mturkhub.management.commands.after_restore import take_up
from projects.actions.payments import retry_bonus, send_bonus
from projects.models import HIT, Assignment, Bonus
from projects.paying import read_bonuses, send_bonuses
from tests.conftest import Person
from tests.fakes.mturk import insufficient_funds, lost_answer, throttled
from tests.projects.live import Live

pytestmark = pytest.mark.django_db
HALF = Decimal("0.50")


@pytest.fixture
def answer(live: Live) -> Assignment:
    return live.collect_one()


def ask(answer: Assignment, by: Person, *, amount: Decimal = HALF, reason: str = "Thank you") -> Bonus:
    return send_bonus(answer, by=by.actor, amount=amount, reason=reason)


def pay(live: Live) -> None:
    send_bonuses(live.connection, gateway=live.market)


def settle(live: Live) -> int:
    return settle_connection(live.connection, live.market)


def be_due() -> None:
    Bonus.objects.filter(state="queued").update(due_at=clock.now())


def state(bonus: Bonus) -> str:
    bonus.refresh_from_db()
    return bonus.state


# The click ---------------------------------------------------------------------------------------


def test_a_bonus_is_sent_once_and_counted_with_its_fee(live: Live, mina: Person, answer: Assignment) -> None:
    bonus = ask(answer, mina, reason="  Careful & kind\r\nwork ")

    pay(live)
    pay(live)

    assert state(bonus) == "done"
    [paid] = live.market.bonuses
    assert (paid.worker_id, paid.amount, paid.reason) == ("AWANDA", HALF, "Careful & kind\nwork")
    live.batch.refresh_from_db()
    assert live.batch.bonuses_paid == Decimal("0.60")
    event = Event.objects.get(verb="assignment.bonus")
    assert (event.details["amount"], event.details["total"]) == ("0.50", "0.60")


@pytest.mark.parametrize(
    ("amount", "reason", "sentence"),
    [
        ("0.00", "Good", r"\$0\.01 to \$10,000\.00 in whole cents"),
        ("-1", "Good", "in whole cents"),
        ("0.005", "Good", "in whole cents"),
        ("10000.01", "Good", "in whole cents"),
        ("NaN", "Good", "in whole cents"),
        ("0.50", "  ", "A bonus needs a reason"),
        ("0.50", "x" * 2001, "Shorten it by 1"),
    ],
)
def test_what_mturk_would_refuse_is_refused_here(
    answer: Assignment, mina: Person, amount: str, reason: str, sentence: str
) -> None:
    with pytest.raises(ActionRefused, match=sentence):
        ask(answer, mina, amount=Decimal(amount), reason=reason)

    assert not Bonus.objects.exists()


def test_two_equal_ones_are_never_under_way_together(live: Live, mina: Person, answer: Assignment) -> None:
    first = ask(answer, mina)
    with pytest.raises(ActionRefused, match="The same bonus is on its way already"):
        ask(answer, mina)
    ask(answer, mina, reason="Another reason")
    first.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        first.save()
    pay(live)

    ask(answer, mina)
    pay(live)

    assert len(live.market.bonuses) == 3


def test_a_balance_that_does_not_cover_it_is_refused(live: Live, mina: Person, answer: Assignment) -> None:
    live.connection.balance = Decimal("0.59")
    live.connection.save()

    with pytest.raises(ActionRefused, match=r"This costs \$0\.60"):
        ask(answer, mina)


@pytest.mark.parametrize("who", ["ravi", "vera", "stan"])
def test_who_may_not_send_bonuses_is_refused(
    answer: Assignment, who: str, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(ActionRefused, match="may not send bonuses") as refused:
        ask(answer, request.getfixturevalue(who))

    assert refused.value.status == 403


# When something goes wrong -----------------------------------------------------------------------


@pytest.mark.parametrize("happens", [True, False])
@pytest.mark.parametrize("hours", [0, 25])
def test_after_a_lost_answer_it_is_paid_exactly_once(
    live: Live, mina: Person, answer: Assignment, happens: bool, hours: int
) -> None:
    bonus = ask(answer, mina)
    live.market.fail("SendBonus", lost_answer, happens=happens)
    pay(live)
    assert state(bonus) == "unknown"
    live.later(hours=hours)

    settle(live)
    be_due()
    pay(live)

    assert state(bonus) == "done"
    assert len(live.market.bonuses) == 1
    assert live.market.calls["ListBonusPayments"] == (1 if hours else 0)
    live.batch.refresh_from_db()
    assert live.batch.bonuses_paid == Decimal("0.60")


@pytest.mark.parametrize("happens", [True, False])
def test_an_equal_one_paid_just_before_is_told_apart(
    live: Live, mina: Person, answer: Assignment, happens: bool
) -> None:
    """The first was paid by its first send, whose answer was lost, and confirmed a while later."""
    ask(answer, mina)
    live.market.fail("SendBonus", lost_answer, happens=True)
    pay(live)
    live.later(minutes=10)
    settle(live)
    be_due()
    pay(live)
    live.later(minutes=1)
    second = ask(answer, mina)
    live.market.fail("SendBonus", lost_answer, happens=happens)
    pay(live)
    live.later(hours=25)

    settle(live)
    be_due()
    pay(live)

    assert state(second) == "done"
    assert len(live.market.bonuses) == 2


def test_an_equal_one_of_long_ago_proves_nothing(live: Live, mina: Person, answer: Assignment) -> None:
    live.market.send_bonus(
        answer.mturk_id, worker_id="AWANDA", amount=HALF, reason="Thank you", unique_request_token="elsewhere"
    )
    live.later(hours=1)
    bonus = ask(answer, mina)
    live.market.fail("SendBonus", lost_answer)
    pay(live)
    live.later(hours=25)

    settle(live)

    assert state(bonus) == "queued"


def test_a_list_that_may_lag_is_given_two_minutes(live: Live, mina: Person, answer: Assignment) -> None:
    bonus = ask(answer, mina)
    take_up(clock.now(), replace=True)

    assert settle(live) == 0
    live.market.fail("ListBonusPayments", lost_answer)
    live.later(minutes=3)
    assert settle(live) == 0
    assert settle(live) == 1
    assert state(bonus) == "queued"


def test_a_call_that_did_not_happen_is_sent_again(live: Live, mina: Person, answer: Assignment) -> None:
    bonus = ask(answer, mina)
    live.market.fail("SendBonus", throttled)

    pay(live)
    assert state(bonus) == "queued"
    be_due()
    pay(live)

    assert state(bonus) == "done"


def test_a_refused_one_is_tried_again_by_a_person(live: Live, mina: Person, answer: Assignment) -> None:
    bonus = ask(answer, mina)
    live.market.fail("SendBonus", insufficient_funds)
    pay(live)
    assert state(bonus) == "failed"
    assert "funds" in bonus.outcome

    retry_bonus(bonus, by=mina.actor)
    pay(live)

    assert state(bonus) == "done"
    with pytest.raises(ActionRefused, match="Only one that was refused is sent again"):
        retry_bonus(bonus, by=mina.actor)


def test_a_sender_that_died_leaves_it_unknown(live: Live, mina: Person, answer: Assignment) -> None:
    bonus = ask(answer, mina)
    Bonus.objects.update(
        state="sending",
        first_sent_at=clock.now(),
        last_sent_at=clock.now(),
        lease_until=clock.real_now() - timedelta(seconds=1),
    )

    assert clear_stale(Bonus) == 1
    settle(live)
    pay(live)

    assert state(bonus) == "done"
    assert len(live.market.bonuses) == 1


def test_an_account_taken_back_pays_no_bonus(
    live: Live, mina: Person, answer: Assignment, stan: Person
) -> None:
    bonus = ask(answer, mina)
    live.connection.account.team = stan.team
    live.connection.account.save()

    pay(live)

    assert state(bonus) == "failed"
    assert not live.market.bonuses


# After a restore ---------------------------------------------------------------------------------


def pay_elsewhere(live: Live, answer: Assignment, reason: str = "Thank you") -> None:
    """By the installation that is gone now, after the backup was made."""
    live.market.send_bonus(
        answer.mturk_id, worker_id="AWANDA", amount=HALF, reason=reason, unique_request_token=reason
    )


def read(live: Live) -> bool:
    return read_bonuses(live.connection, gateway=live.market)


def test_bonuses_wait_until_those_of_every_kept_hit_were_read(
    live: Live, mina: Person, answer: Assignment
) -> None:
    take_up(clock.now(), replace=True)
    bonus = ask(answer, mina)
    pay(live)
    assert state(bonus) == "queued"

    assert read(live) is False
    pay(live)

    assert state(bonus) == "done"
    assert live.market.calls["ListBonusPayments"] == 2


def test_what_was_paid_after_the_backup_is_known_then_and_not_paid_twice(
    live: Live, mina: Person, answer: Assignment
) -> None:
    pay_elsewhere(live, answer)
    take_up(clock.now() - timedelta(hours=1), replace=True)
    again = ask(answer, mina)

    read(live)
    pay(live)

    assert state(again) == "overtaken"
    assert len(live.market.bonuses) == 1
    found = Bonus.objects.get(state="done")
    assert (found.amount, found.reason, found.by_rule) == (
        HALF,
        "Thank you",
        "reading bonuses after a restore",
    )
    live.batch.refresh_from_db()
    assert live.batch.bonuses_paid == Decimal("0.60")


def test_one_that_was_on_its_way_is_looked_up_and_not_counted_as_another(
    live: Live, mina: Person, answer: Assignment
) -> None:
    bonus = ask(answer, mina)
    pay_elsewhere(live, answer)
    take_up(clock.now() - timedelta(hours=1), replace=True)

    read(live)
    settle(live)
    pay(live)

    assert state(bonus) == "done"
    assert Bonus.objects.count() == 1
    assert len(live.market.bonuses) == 1


def test_a_hit_whose_answers_are_not_all_here_is_read_again(live: Live) -> None:
    [late] = live.submit(["ALATE"])
    live.market.send_bonus(late, worker_id="ALATE", amount=HALF, reason="Fast", unique_request_token="t")
    take_up(clock.now(), replace=True)
    assert read(live) is True
    assert HIT.objects.filter(bonuses_unread=True).count() == 1

    live.collect()

    assert read(live) is False
    assert Bonus.objects.get().assignment.mturk_id == late

"""Holds, payments, fees and refunds: to the cent, and always what the ledger adds up to."""

import contextlib
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from marketplace import clock, ledger, lifecycle
from marketplace.models import HIT, Assignment, Balance, Bonus, LedgerEntry
from marketplace.models.assignment import AssignmentState
from marketplace.models.ledger import Account
from marketplace.money import fee_each
from marketplace.requesters import deposit
from tests.marketplace.conftest import QUESTION, TYPE, Market
from tests.marketplace.refusals import refused

MASTERS = "2F1QJWKUDD8XADTFD2Q0G6UTO95ALH"
PAST = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reward", "max_assignments", "types", "fee"),
    [
        ("0.01", 1, [], "0.01"),
        ("0.05", 3, [], "0.01"),
        ("0.50", 9, [], "0.10"),
        ("0.50", 10, [], "0.20"),
        ("1.00", 5, [MASTERS], "0.25"),
        ("1.00", 10, [MASTERS], "0.45"),
        ("0.00", 1, [], "0.01"),
        # half a cent rounds up: 0.105
        ("0.42", 1, [MASTERS], "0.11"),
        # 0.104
        ("0.52", 1, [], "0.10"),
    ],
)
def test_fees_are_mturks(reward: str, max_assignments: int, types: list[str], fee: str) -> None:
    assert fee_each(Decimal(reward), max_assignments, types) == Decimal(fee)


def test_a_market_without_fees_charges_the_reward_alone(market: Market, settings: Settings) -> None:
    settings.FEE_SCHEDULE = "none"

    assignment = market.submit(market.create_hit(MaxAssignments=10))
    assert market.balance == (Decimal("9995.00"), Decimal("5.00"))

    market.mturk.approve_assignment(AssignmentId=assignment.mturk_id)
    assert market.balance == (Decimal("9995.00"), Decimal("4.50"))


def test_the_balance_is_shown_with_two_decimals_and_without_an_empty_hold(market: Market) -> None:
    def balance() -> dict[str, Any]:
        answer = dict(market.mturk.get_account_balance())
        del answer["ResponseMetadata"]
        return answer

    assert balance() == {"AvailableBalance": "10000.00"}
    market.create_hit(MaxAssignments=10)
    assert balance() == {"AvailableBalance": "9993.00", "OnHoldBalance": "7.00"}


# Where money goes: 50 cents and 10 cents fee a slot, three slots


@pytest.fixture
def hit(market: Market) -> HIT:
    return market.create_hit(MaxAssignments=3)


def spent_and_held(market: Market) -> tuple[str, str]:
    available, held = market.balance
    return str(Decimal(10_000) - available), str(held)


def test_creating_holds_reward_and_fee_of_every_slot(market: Market, hit: HIT) -> None:
    assert spent_and_held(market) == ("1.80", "1.80")


def test_approving_pays_worker_and_market_from_the_hold(market: Market, hit: HIT) -> None:
    assignment = market.submit(hit)

    market.mturk.approve_assignment(AssignmentId=assignment.mturk_id)

    assert spent_and_held(market) == ("1.80", "1.20")
    paid = {entry.target: entry.amount for entry in assignment.ledger_entries.all()}
    assert paid == {"workers": Decimal("0.50"), "fees": Decimal("0.10")}


def test_rejecting_releases_the_hold(market: Market, hit: HIT) -> None:
    assignment = market.submit(hit)

    market.mturk.reject_assignment(AssignmentId=assignment.mturk_id, RequesterFeedback="no")

    assert spent_and_held(market) == ("1.20", "1.20")


def test_overturning_a_rejection_is_charged_anew(market: Market, hit: HIT) -> None:
    assignment = market.submit(hit)
    market.mturk.reject_assignment(AssignmentId=assignment.mturk_id, RequesterFeedback="no")

    market.mturk.approve_assignment(AssignmentId=assignment.mturk_id, OverrideRejection=True)

    assert spent_and_held(market) == ("1.80", "1.20")


def test_expiring_releases_free_slots_and_keeps_those_in_work(market: Market, hit: HIT) -> None:
    held = market.accept(hit)
    market.submit(hit)

    market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=PAST)
    assert spent_and_held(market) == ("1.20", "1.20")

    lifecycle.return_assignment(held.mturk_id)
    assert spent_and_held(market) == ("0.60", "0.60")


def test_time_alone_releases_free_slots(market: Market, hit: HIT) -> None:
    market.wait(days=1)

    assert market.mturk.get_account_balance()["AvailableBalance"] == "10000.00"


def test_an_abandoned_slot_of_an_expired_hit_is_released(market: Market, hit: HIT) -> None:
    market.accept(hit)
    market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=PAST)

    market.wait(minutes=11)

    assert market.mturk.get_account_balance()["AvailableBalance"] == "10000.00"


def test_extending_an_expired_hit_holds_again(market: Market, hit: HIT) -> None:
    market.submit(hit)
    market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=PAST)

    market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=clock.now() + timedelta(days=1))

    assert spent_and_held(market) == ("1.80", "1.80")


def test_more_slots_hold_more(market: Market, hit: HIT) -> None:
    market.mturk.create_additional_assignments_for_hit(HITId=hit.mturk_id, NumberOfAdditionalAssignments=2)

    assert spent_and_held(market) == ("3.00", "3.00")


def test_more_slots_of_an_expired_hit_are_held_once_it_is_extended(market: Market, hit: HIT) -> None:
    market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=PAST)
    market.mturk.create_additional_assignments_for_hit(HITId=hit.mturk_id, NumberOfAdditionalAssignments=2)
    assert spent_and_held(market) == ("0.00", "0.00")

    market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=clock.now() + timedelta(days=1))
    assert spent_and_held(market) == ("3.00", "3.00")


def test_deleting_moves_nothing(market: Market, hit: HIT) -> None:
    market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=PAST)
    entries = LedgerEntry.objects.count()

    market.mturk.delete_hit(HITId=hit.mturk_id)

    assert LedgerEntry.objects.count() == entries


# Not enough


def spend_to(market: Market, left: str) -> None:
    """Leave so much available."""
    Balance.objects.filter(requester=market.requester).update(available=Decimal(left))


NO_MONEY = (
    "This Requester has insufficient funds in their account to complete this transaction. "
    "Please visit https://requester.mturk.com/prepayments/new to purchase Prepaid HITs."
)


@pytest.mark.parametrize("call", ["create", "add", "extend", "overturn"])
def test_what_does_not_fit_is_refused_and_changes_nothing(market: Market, call: str) -> None:
    hit, expired = market.create_hit(MaxAssignments=2), market.create_hit()
    rejected = market.submit(hit)
    market.mturk.reject_assignment(AssignmentId=rejected.mturk_id, RequesterFeedback="no")
    market.mturk.update_expiration_for_hit(HITId=expired.mturk_id, ExpireAt=PAST)
    spend_to(market, "0.59")
    calls = {
        "create": lambda: market.mturk.create_hit(**TYPE, LifetimeInSeconds=60, Question=QUESTION),
        "add": lambda: market.mturk.create_additional_assignments_for_hit(
            HITId=hit.mturk_id, NumberOfAdditionalAssignments=1
        ),
        "extend": lambda: market.mturk.update_expiration_for_hit(
            HITId=expired.mturk_id, ExpireAt=clock.now() + timedelta(days=1)
        ),
        "overturn": lambda: market.mturk.approve_assignment(
            AssignmentId=rejected.mturk_id, OverrideRejection=True
        ),
    }

    def picture() -> list[Any]:
        return [
            list(HIT.objects.order_by("id").values()),
            list(Assignment.objects.order_by("id").values()),
            LedgerEntry.objects.count(),
            market.balance,
        ]

    before = picture()
    with refused() as refusal:
        calls[call]()
    assert (refusal.kind, refusal.code, refusal.message) == ("RequestError", "InsufficientFunds", NO_MONEY)
    assert picture() == before

    spend_to(market, "0.60")
    calls[call]()
    assert market.balance[0] == Decimal(0)


def test_a_deposit_can_be_spent(market: Market) -> None:
    deposit(market.requester, Decimal("250.00"))

    assert market.balance[0] == Decimal("10250.00")


def test_the_database_itself_refuses_to_overdraw(market: Market) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Balance.objects.update(available=Decimal("-0.01"))


def test_a_move_that_does_not_fit_raises_and_writes_no_entry(market: Market) -> None:
    move = ledger.Move(Account.AVAILABLE, Account.HELD, Decimal("10000.01"))

    with pytest.raises(ledger.InsufficientFunds), transaction.atomic():
        ledger.post(market.requester.pk, [move], now=clock.now())

    assert LedgerEntry.objects.count() == 1  # the opening balance


# Everything at once: whatever is done in whatever order, three records of it agree


def check_agreement() -> None:
    """The counters equal the Assignments, the holds equal the open slots, the balances equal the ledger."""
    now = clock.now()
    states: dict[int, list[str]] = defaultdict(list)
    for hit_id, state in Assignment.objects.values_list("hit", "state"):
        states[hit_id].append(state)
    hits = list(HIT.objects.select_related("hit_type"))
    for hit in hits:
        count = states[hit.pk].count
        assert hit.pending_count == count(AssignmentState.ACCEPTED)
        assert hit.submitted_count == count(AssignmentState.SUBMITTED)
        assert hit.completed_count == count(AssignmentState.APPROVED) + count(AssignmentState.REJECTED)
        reachable = 0 if hit.is_expired(now) else hit.available_count
        assert hit.held_slots == hit.pending_count + hit.submitted_count + reachable
    for balance in Balance.objects.all():
        requester = balance.requester_id
        moves = LedgerEntry.objects.filter(requester=requester).values_list("source", "target", "amount")
        total: dict[str, Decimal] = defaultdict(Decimal)
        for source, target, amount in moves:
            total[source] -= amount
            total[target] += amount
        paid = Assignment.objects.filter(hit__requester=requester, state=AssignmentState.APPROVED)
        bonuses = Bonus.objects.filter(assignment__hit__requester=requester)
        rewards = [
            *paid.values_list("hit__hit_type__reward", "hit__fee_each"),
            *bonuses.values_list("amount", "fee"),
        ]
        assert total[Account.WORKERS] == sum(reward for reward, _ in rewards)
        assert total[Account.FEES] == sum(fee for _, fee in rewards)
        assert (balance.available, balance.held) == (total[Account.AVAILABLE], total[Account.HELD])
        assert balance.held == sum(
            hit.held_slots * hit.price_each for hit in hits if hit.requester_id == requester
        )


CHANGES = ("create", "add", "expire", "extend", "delete")
WORK = ("accept", "submit", "return", "approve", "reject", "overturn", "bonus", "wait a little", "wait long")
STEPS = st.lists(st.tuples(st.sampled_from(CHANGES + WORK), st.integers(0, 7)), max_size=25)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_counters_holds_and_ledger_never_disagree(make_market: Any, steps: list[tuple[str, int]]) -> None:
    with transaction.atomic():
        market = make_market("Lab")
        market.create_hit(MaxAssignments=3)
        for step, number in steps:
            _play(market, step, number)
            lifecycle.apply_due()
            check_agreement()
        transaction.set_rollback(True)


def _play(market: Market, step: str, number: int) -> None:
    """Do one step to the HIT or Assignment that the number picks; what is refused must change nothing."""
    if step.startswith("wait"):
        market.wait(**({"minutes": 6} if step == "wait a little" else {"hours": 13}))
        return
    hits, assignments = list(HIT.objects.order_by("id")), list(Assignment.objects.order_by("id"))
    hit = hits[number % len(hits)]
    by_hit = {"HITId": hit.mturk_id}
    assignment = assignments[number % len(assignments)] if assignments else None
    assignment_id = assignment.mturk_id if assignment else "3NONE"
    steps = {
        "create": lambda: market.create_hit(MaxAssignments=number + 1),
        "accept": lambda: market.accept(hit),
        "submit": lambda: lifecycle.submit_assignment(assignment_id, [("colour", "red")]),
        "return": lambda: lifecycle.return_assignment(assignment_id),
        "approve": lambda: market.mturk.approve_assignment(AssignmentId=assignment_id),
        "reject": lambda: market.mturk.reject_assignment(AssignmentId=assignment_id, RequesterFeedback="no"),
        "overturn": lambda: market.mturk.approve_assignment(
            AssignmentId=assignment_id, OverrideRejection=True
        ),
        "bonus": lambda: market.mturk.send_bonus(
            AssignmentId=assignment_id,
            WorkerId=assignment.worker.mturk_id if assignment else "ANOBODY",
            BonusAmount=f"0.{number}7",
            Reason="Well done",
        ),
        "expire": lambda: market.mturk.update_expiration_for_hit(**by_hit, ExpireAt=PAST),
        "extend": lambda: market.mturk.update_expiration_for_hit(
            **by_hit, ExpireAt=clock.now() + timedelta(days=1)
        ),
        "add": lambda: market.mturk.create_additional_assignments_for_hit(
            **by_hit, NumberOfAdditionalAssignments=number + 1
        ),
        "delete": lambda: market.mturk.delete_hit(**by_hit),
    }
    with contextlib.suppress(lifecycle.Refused, market.mturk.exceptions.RequestError):
        steps[step]()


# As in MTurk's sandbox


def test_a_fixed_balance_never_changes_and_the_books_still_add_up(market: Market, settings: Settings) -> None:
    settings.FIXED_BALANCE = True
    before = Balance.objects.get()

    hit = market.create_hit(Reward="20000.00", MaxAssignments=2)

    assert market.mturk.get_account_balance()["AvailableBalance"] == "10000.00"
    assert "OnHoldBalance" not in market.mturk.get_account_balance()
    balance = Balance.objects.get()
    assert balance.available == before.available
    assert balance.held > 40000
    market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=PAST)
    check_agreement()
    assert Balance.objects.get().held == 0

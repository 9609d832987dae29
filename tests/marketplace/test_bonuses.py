"""Extra pay: to whom, with what fee, once per token, and where it is listed."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from marketplace.models import Assignment, Bonus, LedgerEntry
from tests.marketplace.conftest import Market
from tests.marketplace.refusals import refused
from tests.marketplace.test_money import NO_MONEY, check_agreement, spend_to

PAST = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def assignment(market: Market) -> Assignment:
    return market.submit(market.create_hit())


def bonus_for(assignment: Assignment, **members: str) -> dict[str, str]:
    return {
        "AssignmentId": assignment.mturk_id,
        "WorkerId": assignment.worker.mturk_id,
        "BonusAmount": "2.00",
        "Reason": "Well done",
    } | members


@pytest.mark.parametrize(
    ("amount", "cost"),
    [("2.00", "2.40"), ("2", "2.40"), ("0.01", "0.02"), ("0.03", "0.04"), ("0.08", "0.10"), ("1.13", "1.36")],
)
def test_a_bonus_and_its_fee_are_taken_at_once(
    market: Market, assignment: Assignment, amount: str, cost: str
) -> None:
    before = market.balance[0]

    market.mturk.send_bonus(**bonus_for(assignment, BonusAmount=amount))

    assert before - market.balance[0] == Decimal(cost)
    paid = {entry.target: entry.amount for entry in assignment.ledger_entries.all()}
    assert paid == {"workers": Decimal(amount), "fees": Decimal(cost) - Decimal(amount)}
    check_agreement()


def test_the_fee_on_a_bonus_is_the_same_on_a_large_hit(market: Market) -> None:
    assignment = market.submit(market.create_hit(MaxAssignments=10))

    market.mturk.send_bonus(**bonus_for(assignment))

    assert Bonus.objects.get().fee == Decimal("0.40")


def test_a_market_without_fees_takes_the_bonus_alone(
    market: Market, assignment: Assignment, settings: Settings
) -> None:
    settings.FEE_SCHEDULE = "none"
    before = market.balance[0]

    market.mturk.send_bonus(**bonus_for(assignment))

    assert before - market.balance[0] == Decimal("2.00")


def approve(market: Market, assignment: Assignment) -> None:
    market.mturk.approve_assignment(AssignmentId=assignment.mturk_id)


def reject(market: Market, assignment: Assignment) -> None:
    market.mturk.reject_assignment(AssignmentId=assignment.mturk_id, RequesterFeedback="no")


def delete(market: Market, assignment: Assignment) -> None:
    approve(market, assignment)
    market.mturk.delete_hit(HITId=assignment.hit.mturk_id)


def delete_long_ago(market: Market, assignment: Assignment) -> None:
    delete(market, assignment)
    market.wait(days=150)


@pytest.mark.parametrize("happened", [None, approve, reject, delete, delete_long_ago])
def test_whoever_submitted_can_have_a_bonus_whatever_was_decided(
    market: Market, assignment: Assignment, happened: Callable[[Market, Assignment], None] | None
) -> None:
    if happened:
        happened(market, assignment)

    market.mturk.send_bonus(**bonus_for(assignment))

    listed = market.mturk.list_bonus_payments(AssignmentId=assignment.mturk_id)["BonusPayments"]
    assert [payment["BonusAmount"] for payment in listed] == ["2.00"]


def test_a_bonus_needs_this_requesters_work_by_this_worker(
    market: Market, make_market: Callable[[str], Market], assignment: Assignment
) -> None:
    stranger, hit = make_market("Newsroom"), market.create_hit()
    held = market.accept(hit)

    for mturk, members in [
        (market.mturk, bonus_for(assignment, WorkerId=market.worker().mturk_id)),
        (market.mturk, bonus_for(assignment, AssignmentId="3NONE")),
        (market.mturk, bonus_for(held)),
        (stranger.mturk, bonus_for(assignment)),
    ]:
        with refused() as refusal:
            mturk.send_bonus(**members)
        assert (refusal.kind, refusal.code) == ("RequestError", "AssignmentDoesNotExist")
        assert refusal.message == f"Assignment {members['AssignmentId']} does not exist."
    assert not Bonus.objects.exists()


@pytest.mark.parametrize(
    "members",
    [
        {"BonusAmount": "0"},
        {"BonusAmount": "0.00"},
        {"BonusAmount": "1.005"},
        {"BonusAmount": "-1"},
        {"BonusAmount": ".50"},
        {"Reason": ""},
        {"Reason": "x" * 2001},
        {"WorkerId": "wanda"},
        {"UniqueRequestToken": "x" * 65},
    ],
)
def test_a_bad_member_is_named(market: Market, assignment: Assignment, members: dict[str, str]) -> None:
    [(name, value)] = members.items()

    with refused() as refusal:
        market.mturk.send_bonus(**bonus_for(assignment, **members))

    assert refusal.kind == "ParameterValidationError"
    assert refusal.message.startswith(f'The value "{value[:50]}')
    assert refusal.message.endswith(f"is not valid for the parameter {name}.")


@pytest.mark.parametrize("amount", ["10000.00", "9" * 11, "9" * 40])
def test_a_bonus_that_does_not_fit_is_refused_and_changes_nothing(
    market: Market, assignment: Assignment, amount: str
) -> None:
    before = market.balance

    with refused() as refusal:
        market.mturk.send_bonus(**bonus_for(assignment, BonusAmount=amount, UniqueRequestToken="b-1"))

    assert (refusal.code, refusal.message) == ("InsufficientFunds", NO_MONEY)
    assert (market.balance, Bonus.objects.count()) == (before, 0)
    # A call that failed has not used up its token.
    market.mturk.send_bonus(**bonus_for(assignment, UniqueRequestToken="b-1"))


def test_the_last_cent_can_be_spent(market: Market, assignment: Assignment) -> None:
    spend_to(market, "2.40")

    market.mturk.send_bonus(**bonus_for(assignment))

    assert market.balance[0] == Decimal(0)


def test_a_token_pays_once_a_day_and_without_one_each_call_pays(
    market: Market, assignment: Assignment
) -> None:
    market.mturk.send_bonus(**bonus_for(assignment, UniqueRequestToken="b-1"))
    with refused() as refusal:
        market.mturk.send_bonus(**bonus_for(assignment, UniqueRequestToken="b-1"))
    assert (refusal.kind, refusal.code) == ("RequestError", "DuplicateRequest")
    assert refusal.message.startswith('The idempotency token "b-1" has already been processed.')
    assert Bonus.objects.count() == 1

    market.mturk.send_bonus(**bonus_for(assignment))
    market.mturk.send_bonus(**bonus_for(assignment, UniqueRequestToken="b-2"))
    market.wait(hours=24)
    market.mturk.send_bonus(**bonus_for(assignment, UniqueRequestToken="b-1"))
    assert Bonus.objects.count() == 4


def test_bonuses_are_listed_by_hit_by_assignment_or_by_both(market: Market) -> None:
    hit, other = market.create_hit(MaxAssignments=2), market.create_hit()
    first, second, elsewhere = market.submit(hit), market.submit(hit), market.submit(other)
    for number, each in enumerate((first, second, first, elsewhere), 1):
        market.mturk.send_bonus(**bonus_for(each, BonusAmount=f"{number}.00"))

    def listed(**members: Any) -> list[str]:
        pages = market.mturk.get_paginator("list_bonus_payments").paginate(MaxResults=2, **members)
        return [payment["BonusAmount"] for page in pages for payment in page["BonusPayments"]]

    assert listed(HITId=hit.mturk_id) == ["1.00", "2.00", "3.00"]
    assert listed(AssignmentId=first.mturk_id) == ["1.00", "3.00"]
    assert listed(HITId=hit.mturk_id, AssignmentId=second.mturk_id) == ["2.00"]
    assert listed(HITId=hit.mturk_id, AssignmentId=elsewhere.mturk_id) == []
    payment = market.mturk.list_bonus_payments(AssignmentId=second.mturk_id)["BonusPayments"][0]
    assert payment["WorkerId"] == second.worker.mturk_id
    assert payment["AssignmentId"] == second.mturk_id
    assert (payment["Reason"], payment["GrantTime"]) == (
        "Well done",
        Bonus.objects.get(amount=2).granted_at.replace(microsecond=payment["GrantTime"].microsecond),
    )


def test_listing_needs_to_know_of_what(market: Market, make_market: Callable[[str], Market]) -> None:
    assignment = market.submit(market.create_hit())
    stranger = make_market("Newsroom").mturk

    with refused() as refusal:
        market.mturk.list_bonus_payments()
    assert refusal.kind == "ParameterValidationError"
    with refused() as refusal:
        stranger.list_bonus_payments(HITId=assignment.hit.mturk_id)
    assert refusal.code == "HITDoesNotExist"
    with refused() as refusal:
        stranger.list_bonus_payments(AssignmentId=assignment.mturk_id)
    assert refusal.code == "AssignmentDoesNotExist"


def test_a_bonus_after_an_overturned_rejection_still_adds_up(market: Market, assignment: Assignment) -> None:
    reject(market, assignment)
    market.mturk.send_bonus(**bonus_for(assignment))
    market.mturk.approve_assignment(AssignmentId=assignment.mturk_id, OverrideRejection=True)

    assert market.balance == (Decimal("9997.00"), Decimal(0))
    assert sum(entry.amount for entry in LedgerEntry.objects.filter(target="workers")) == Decimal("2.50")
    check_agreement()

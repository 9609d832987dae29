"""Reading what Workers submitted, approving it and rejecting it."""

from datetime import timedelta
from typing import Any

import pytest

from marketplace import clock, lifecycle
from marketplace.models import Assignment
from tests.marketplace.conftest import Market
from tests.marketplace.refusals import refused


def shown(market: Market, assignment: Assignment) -> Any:
    return market.mturk.get_assignment(AssignmentId=assignment.mturk_id)["Assignment"]


def test_a_submitted_assignment_is_shown_with_its_hit(market: Market) -> None:
    hit = market.create_hit()
    assignment = market.submit(hit, colour="grün <&>", note=" two\r\nlines ")

    answer = market.mturk.get_assignment(AssignmentId=assignment.mturk_id)

    assert answer["HIT"]["HITId"] == hit.mturk_id
    got = answer["Assignment"]
    assert (got["AssignmentId"], got["HITId"], got["WorkerId"], got["AssignmentStatus"]) == (
        assignment.mturk_id,
        hit.mturk_id,
        assignment.worker.mturk_id,
        "Submitted",
    )
    assert got["Deadline"] - got["AcceptTime"] == timedelta(seconds=600)
    assert got["AutoApprovalTime"] - got["SubmitTime"] == timedelta(seconds=3600)
    assert not {"ApprovalTime", "RejectionTime", "RequesterFeedback"} & got.keys()
    assert "gr&#252;n &lt;&amp;&gt;" in got["Answer"]
    assert " two&#13;\nlines " in got["Answer"]


def test_approving_and_rejecting_show_time_and_feedback(market: Market) -> None:
    hit = market.create_hit(MaxAssignments=2)
    good, bad = market.submit(hit), market.submit(hit)

    market.mturk.approve_assignment(AssignmentId=good.mturk_id, RequesterFeedback="thanks")
    market.mturk.reject_assignment(AssignmentId=bad.mturk_id, RequesterFeedback="blank")

    got = shown(market, good)
    assert (got["AssignmentStatus"], got["RequesterFeedback"]) == ("Approved", "thanks")
    assert got["ApprovalTime"] >= got["SubmitTime"]
    assert "RejectionTime" not in got
    got = shown(market, bad)
    assert (got["AssignmentStatus"], got["RequesterFeedback"]) == ("Rejected", "blank")
    assert got["RejectionTime"] >= got["SubmitTime"]
    assert "ApprovalTime" not in got


@pytest.mark.parametrize("first", ["approve", "reject"])
@pytest.mark.parametrize("second", ["approve", "reject"])
def test_a_decided_assignment_cannot_be_decided_again(market: Market, first: str, second: str) -> None:
    assignment = market.submit(market.create_hit())
    decide = {
        "approve": lambda: market.mturk.approve_assignment(AssignmentId=assignment.mturk_id),
        "reject": lambda: market.mturk.reject_assignment(
            AssignmentId=assignment.mturk_id, RequesterFeedback="no"
        ),
    }
    decide[first]()
    before = shown(market, assignment), market.balance

    with refused() as refusal:
        decide[second]()

    assert (refusal.kind, refusal.code) == ("RequestError", "InvalidAssignmentState")
    assert refusal.message == "This operation can be called with a status of: Submitted"
    assert (shown(market, assignment), market.balance) == before


def test_work_a_worker_still_holds_can_be_neither_read_nor_decided(market: Market) -> None:
    assignment = market.accept(market.create_hit())

    with refused() as refusal:
        market.mturk.get_assignment(AssignmentId=assignment.mturk_id)
    assert refusal.code == "InvalidAssignmentState"
    assert refusal.message == "This operation can be called with a status of: Reviewable,Approved,Rejected"
    with refused() as refusal:
        market.mturk.approve_assignment(AssignmentId=assignment.mturk_id)
    assert refusal.code == "InvalidAssignmentState"


@pytest.mark.parametrize("whose", ["nobody's", "another's", "returned"])
@pytest.mark.parametrize("operation", ["get_assignment", "approve_assignment", "reject_assignment"])
def test_an_assignment_that_is_not_ones_own_does_not_exist(
    make_market: Any, whose: str, operation: str
) -> None:
    market = make_market("Newsroom")
    assignment_id = {
        "nobody's": lambda: "3UNKNOWN",
        "another's": lambda: (other := make_market("Lab")).submit(other.create_hit()).mturk_id,
        "returned": lambda: lifecycle.return_assignment(market.accept(market.create_hit()).mturk_id).mturk_id,
    }[whose]()
    members = {"RequesterFeedback": "no"} if operation == "reject_assignment" else {}

    with refused() as refusal:
        getattr(market.mturk, operation)(AssignmentId=assignment_id, **members)

    assert refusal.code == "AssignmentDoesNotExist"
    assert refusal.message == f"Assignment {assignment_id} does not exist."


def test_rejecting_needs_feedback(market: Market) -> None:
    assignment = market.submit(market.create_hit())

    with refused() as refusal:
        market.mturk.reject_assignment(AssignmentId=assignment.mturk_id)
    assert refusal.kind == "ParameterValidationError"


@pytest.mark.parametrize("operation", ["approve_assignment", "reject_assignment"])
def test_feedback_has_at_most_1024_characters(market: Market, operation: str) -> None:
    assignment = market.submit(market.create_hit())

    with refused() as refusal:
        getattr(market.mturk, operation)(AssignmentId=assignment.mturk_id, RequesterFeedback="x" * 1025)
    assert refusal.kind == "ParameterValidationError"
    getattr(market.mturk, operation)(AssignmentId=assignment.mturk_id, RequesterFeedback="x" * 1024)


# Rejections overturned


def reject(market: Market, **members: Any) -> Assignment:
    assignment = market.submit(market.create_hit(**members))
    market.mturk.reject_assignment(AssignmentId=assignment.mturk_id, RequesterFeedback="no")
    return assignment


def overturn(market: Market, assignment: Assignment) -> None:
    market.mturk.approve_assignment(AssignmentId=assignment.mturk_id, OverrideRejection=True)


def test_a_rejection_can_be_overturned_and_both_times_stay(market: Market) -> None:
    assignment = reject(market)

    overturn(market, assignment)

    got = shown(market, assignment)
    assert got["AssignmentStatus"] == "Approved"
    assert got["ApprovalTime"] > got["RejectionTime"]


def test_a_rejection_can_be_overturned_for_30_days(market: Market) -> None:
    in_time, late = reject(market), reject(market)
    market.wait(days=29)
    overturn(market, in_time)

    market.wait(days=2)
    with refused() as refusal:
        overturn(market, late)
    assert refusal.code == "InvalidAssignmentState"


def test_a_rejection_on_a_deleted_hit_stands(market: Market) -> None:
    assignment = reject(market)
    market.mturk.delete_hit(HITId=assignment.hit.mturk_id)

    with refused() as refusal:
        overturn(market, assignment)
    assert refusal.code == "InvalidAssignmentState"


def test_override_rejection_also_approves_what_waits(market: Market) -> None:
    assignment = market.submit(market.create_hit())

    overturn(market, assignment)

    assert shown(market, assignment)["AssignmentStatus"] == "Approved"


# Lists


def test_answers_are_listed_oldest_first_by_the_status_asked_for(market: Market) -> None:
    hit = market.create_hit(MaxAssignments=5)
    market.accept(hit)
    submitted, approved, rejected = (market.submit(hit) for _ in range(3))
    market.mturk.approve_assignment(AssignmentId=approved.mturk_id)
    market.mturk.reject_assignment(AssignmentId=rejected.mturk_id, RequesterFeedback="no")

    def listed(**members: Any) -> list[str]:
        answer = market.mturk.list_assignments_for_hit(HITId=hit.mturk_id, **members)
        assert answer["NumResults"] == len(answer["Assignments"])
        return [assignment["AssignmentId"] for assignment in answer["Assignments"]]

    everything = [submitted.mturk_id, approved.mturk_id, rejected.mturk_id]
    assert listed() == everything
    assert listed(AssignmentStatuses=[]) == everything
    assert listed(AssignmentStatuses=["Submitted"]) == everything[:1]
    assert listed(AssignmentStatuses=["Approved", "Rejected"]) == everything[1:]
    with refused() as refusal:
        listed(AssignmentStatuses=["Accepted"])
    assert refusal.kind == "ParameterValidationError"


def test_auto_approval_happens_at_its_time_and_pays(market: Market) -> None:
    assignment = market.submit(market.create_hit())
    market.wait(minutes=59)
    assert shown(market, assignment)["AssignmentStatus"] == "Submitted"

    market.wait(minutes=2)

    got = shown(market, assignment)
    assert got["AssignmentStatus"] == "Approved"
    assert clock.now() - got["ApprovalTime"] < timedelta(minutes=1)
    assignment.refresh_from_db()
    assert assignment.was_auto_approved
    assert market.mturk.get_account_balance()["AvailableBalance"] == "9999.40"

"""Review policies: what they find, what they do, each once, and how both are listed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from marketplace import clock, lifecycle
from marketplace.models import HIT, Assignment, ReviewAction, ReviewResult
from tests.marketplace.conftest import Market
from tests.marketplace.refusals import refused
from tests.marketplace.test_money import check_agreement, spend_to

PAST = datetime(1970, 1, 1, tzinfo=UTC)


def known(**parameters: str) -> dict[str, Any]:
    key = {
        "Key": "AnswerKey",
        "MapEntries": [{"Key": "colour", "Values": ["red"]}, {"Key": "sizes", "Values": ["S", "M"]}],
    }
    more = [{"Key": name, "Values": [value]} for name, value in parameters.items()]
    return {"PolicyName": "ScoreMyKnownAnswers/2011-09-01", "Parameters": [key, *more]}


def plurality(*question_ids: str, **parameters: str) -> dict[str, Any]:
    given = {"QuestionAgreementThreshold": "50", "DisregardAssignmentIfRejected": "T"} | parameters
    questions = {"Key": "QuestionIds", "Values": list(question_ids or ("colour",))}
    more = [{"Key": name, "Values": [value]} for name, value in given.items()]
    return {"PolicyName": "SimplePlurality/2011-09-01", "Parameters": [questions, *more]}


EXTEND = {
    "ExtendIfHITAgreementScoreIsLessThan": "100",
    "ExtendMaximumAssignments": "3",
    "ExtendMinimumTimeInSeconds": "3600",
}


def report(market: Market, hit: HIT, **members: Any) -> dict[str, Any]:
    return dict(
        market.mturk.list_review_policy_results_for_hit(HITId=hit.mturk_id, MaxResults=100, **members)
    )


def actions(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["ActionName"], each["Status"], each["Result"]) for each in report["ReviewActions"]]


def results(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each.get("QuestionId", ""), each["Key"], each["Value"]) for each in report["ReviewResults"]]


def state(assignment: Assignment) -> str:
    return Assignment.objects.get(pk=assignment.pk).state


# Known answers -------------------------------------------------------------------------------------

BOUNDS = {
    "ApproveIfKnownAnswerScoreIsAtLeast": "100",
    "ApproveReason": "Thank you",
    "RejectIfKnownAnswerScoreIsLessThan": "50",
    "RejectReason": "Wrong",
}


@pytest.mark.parametrize(
    ("answers", "score", "became", "feedback"),
    [
        ({"colour": "red", "sizes": "M|S"}, "100", "approved", "Thank you"),
        ({"colour": " red ", "sizes": "S|M"}, "100", "approved", "Thank you"),
        ({"colour": "red", "sizes": "S"}, "50", "submitted", ""),
        ({"colour": "Red", "sizes": "S|M|L"}, "0", "rejected", "Wrong"),
        ({"other": "x"}, "0", "rejected", "Wrong"),
    ],
)
def test_an_answer_is_scored_and_decided_as_it_is_submitted(
    market: Market, answers: dict[str, str], score: str, became: str, feedback: str
) -> None:
    hit = market.create_hit(AssignmentReviewPolicy=known(**BOUNDS))

    assignment = market.submit(hit, **answers)

    assert (assignment.state, assignment.requester_feedback) == (became, feedback)
    assert ReviewResult.objects.get(key="KnownAnswerScore").value == score
    check_agreement()


def test_what_was_found_and_done_is_reported(market: Market) -> None:
    hit = market.create_hit(AssignmentReviewPolicy=known(**BOUNDS))
    assignment = market.submit(hit, colour="red", sizes="S|M")

    got = report(market, hit)

    assert got["HITId"] == hit.mturk_id
    assert got["AssignmentReviewPolicy"] == {"PolicyName": "ScoreMyKnownAnswers/2011-09-01"}
    assert "HITReviewPolicy" not in got
    assert got["HITReviewReport"] == {"ReviewResults": [], "ReviewActions": []}
    mine = got["AssignmentReviewReport"]
    assert results(mine) == [
        ("colour", "KnownAnswerCorrect", "1"),
        ("sizes", "KnownAnswerCorrect", "1"),
        ("", "KnownAnswerScore", "100"),
    ]
    assert actions(mine) == [
        ("review", "Succeeded", "Reviewed 2 known answers; 2/2 correct"),
        ("approve", "Succeeded", "Approved"),
    ]
    [review, _] = mine["ReviewActions"]
    assert {each["ActionId"] for each in mine["ReviewResults"]} == {review["ActionId"]}
    assert {(each["SubjectType"], each["SubjectId"]) for each in mine["ReviewResults"]} == {
        ("Assignment", assignment.mturk_id)
    }
    assert (review["TargetType"], review["TargetId"]) == ("Assignment", assignment.mturk_id)


def test_where_both_bounds_hold_an_answer_is_approved(market: Market) -> None:
    policy = known(ApproveIfKnownAnswerScoreIsAtLeast="0", RejectIfKnownAnswerScoreIsLessThan="101")

    assert market.submit(market.create_hit(AssignmentReviewPolicy=policy)).state == "approved"


def test_101_is_never_reached(market: Market) -> None:
    policy = known(ApproveIfKnownAnswerScoreIsAtLeast="101")

    assignment = market.submit(market.create_hit(AssignmentReviewPolicy=policy), colour="red", sizes="S|M")

    assert assignment.state == "submitted"


def test_a_poor_answer_asks_for_one_more_up_to_the_maximum(market: Market) -> None:
    policy = known(
        ExtendIfKnownAnswerScoreIsLessThan="100",
        ExtendMaximumAssignments="2",
        ExtendMinimumTimeInSeconds="172800",
        RejectIfKnownAnswerScoreIsLessThan="51",
    )
    hit = market.create_hit(AssignmentReviewPolicy=policy)

    for _ in range(2):
        market.submit(hit)

    hit.refresh_from_db()
    assert hit.max_assignments == 2
    assert hit.expires_at >= hit.created_at + timedelta(days=2)
    assert (
        actions(report(market, hit)["AssignmentReviewReport"]).count(
            ("extend", "Succeeded", "Extended to 2 assignments")
        )
        == 1
    )
    assert market.balance == (Decimal("10000.00"), Decimal("0.00"))
    check_agreement()


@pytest.mark.parametrize(
    ("slots", "money", "code"),
    [(1, "0.00", "InsufficientFunds"), (9, "1000.00", "InvalidMaximumAssignmentsIncrease")],
)
def test_an_extension_that_cannot_be_is_reported_and_stops_nothing(
    market: Market, slots: int, money: str, code: str
) -> None:
    policy = known(ExtendIfKnownAnswerScoreIsLessThan="100", ExtendMaximumAssignments="25")
    hit = market.create_hit(AssignmentReviewPolicy=policy, MaxAssignments=slots)
    spend_to(market, money)

    assignment = market.submit(hit)

    assert assignment.state == "submitted"
    failed = report(market, hit)["AssignmentReviewReport"]["ReviewActions"][-1]
    assert (failed["ActionName"], failed["Status"]) == ("extend", "Failed")
    assert failed["ErrorCode"] == f"AWS.MechanicalTurk.{code}"
    assert HIT.objects.get().max_assignments == slots


# Plurality -----------------------------------------------------------------------------------------


def answer(market: Market, hit: HIT, *colours: str) -> list[Assignment]:
    return [market.submit(hit, colour=colour) for colour in colours]


def test_workers_who_agree_are_approved_and_the_others_rejected(market: Market) -> None:
    policy = plurality(
        ApproveIfWorkerAgreementScoreIsAtLeast="100",
        RejectIfWorkerAgreementScoreIsLessThan="50",
        RejectReason="Others saw red.",
    )
    hit = market.create_hit(HITReviewPolicy=policy, MaxAssignments=3)
    first, second, third = answer(market, hit, "red", " red", "green")
    assert state(first) == "submitted"

    got = report(market, hit)["HITReviewReport"]

    assert [state(each) for each in (first, second, third)] == ["approved", "approved", "rejected"]
    third.refresh_from_db()
    assert third.requester_feedback == "Others saw red."
    assert results(got) == [
        ("colour", "AgreedAnswerFound", "true"),
        ("colour", "AgreedAnswer", "red"),
        ("colour", "AnswerAgreementScore", "66"),
        ("", "HitAgreementScore", "100"),
        *[
            ("", key, value)
            for correct in (1, 1, 0)
            for key, value in (
                ("WorkerAgreementScore", str(100 * correct)),
                ("PluralityAnswersCorrect", str(correct)),
                ("PluralityAnswersIncorrect", str(1 - correct)),
            )
        ],
    ]
    assert actions(got) == [
        ("review", "Succeeded", "Reviewed 3 of 3 assignments"),
        ("approve", "Succeeded", "Approved"),
        ("approve", "Succeeded", "Approved"),
        ("reject", "Succeeded", "Rejected"),
    ]
    assert market.balance == (Decimal("9998.80"), Decimal("0.00"))
    check_agreement()


@pytest.mark.parametrize(
    ("colours", "threshold", "agreed", "score"),
    [
        (("red", "red", "green"), "65", "true", "66"),
        (("red", "red", "green"), "66", "false", "66"),
        (("red", "red", "red"), "100", "true", "100"),
        (("red", "red", "green"), "100", "false", "66"),
        # a tie is no plurality
        (("red", "green"), "0", "false", "50"),
        # case counts, order does not
        (("red", "Red", "red|blue", "blue|red"), "0", "true", "50"),
        # too long to be compared
        (("x" * 257, "x" * 257), "0", "false", "0"),
    ],
)
def test_when_an_answer_is_agreed(
    market: Market, colours: tuple[str, ...], threshold: str, agreed: str, score: str
) -> None:
    policy = plurality(QuestionAgreementThreshold=threshold)
    hit = market.create_hit(HITReviewPolicy=policy, MaxAssignments=len(colours))
    answer(market, hit, *colours)

    found = {key: value for _, key, value in results(report(market, hit)["HITReviewReport"])}

    assert (found["AgreedAnswerFound"], found["AnswerAgreementScore"]) == (agreed, score)
    assert found["HitAgreementScore"] == ("100" if agreed == "true" else "0")


def test_where_nothing_is_agreed_nobody_is_wrong(market: Market) -> None:
    policy = plurality(
        ApproveIfWorkerAgreementScoreIsAtLeast="0", RejectIfWorkerAgreementScoreIsLessThan="100"
    )
    hit = market.create_hit(HITReviewPolicy=policy, MaxAssignments=2)
    both = answer(market, hit, "red", "green")

    assert [each[0] for each in actions(report(market, hit)["HITReviewReport"])] == ["review"]
    assert {state(each) for each in both} == {"submitted"}


def test_a_hit_is_extended_until_enough_agree_and_reviewed_each_time(market: Market) -> None:
    policy = plurality(**EXTEND, ApproveIfWorkerAgreementScoreIsAtLeast="100")
    hit = market.create_hit(HITReviewPolicy=policy, MaxAssignments=2, LifetimeInSeconds=60)
    answer(market, hit, "red", "green")
    lifecycle.apply_due()
    hit.refresh_from_db()
    assert market.status(hit) == ("Assignable", 1, 0, 0)
    assert hit.expires_at >= clock.now() + timedelta(minutes=59)

    answer(market, hit, "green")
    lifecycle.apply_due()

    assert market.status(hit) == ("Reviewable", 0, 0, 2)
    names = [each[0] for each in actions(report(market, hit)["HITReviewReport"])]
    assert names == ["review", "extend", "review", "approve", "approve"]
    check_agreement()


def test_an_extension_ends_at_the_maximum(market: Market) -> None:
    hit = market.create_hit(HITReviewPolicy=plurality(**EXTEND), MaxAssignments=2)
    answer(market, hit, "red", "green")
    lifecycle.apply_due()
    answer(market, hit, "blue")
    lifecycle.apply_due()

    assert market.status(hit)[0] == "Reviewable"
    assert HIT.objects.get().max_assignments == 3


def test_rejected_and_poor_answers_are_left_out_if_so_wanted(market: Market) -> None:
    hit = market.create_hit(
        AssignmentReviewPolicy=known(RejectIfKnownAnswerScoreIsLessThan="50"),
        HITReviewPolicy=plurality(
            "size", DisregardAssignmentIfKnownAnswerScoreIsLessThan="100", RejectReason="no"
        ),
        MaxAssignments=3,
    )
    market.submit(hit, colour="blue", size="L")
    market.submit(hit, colour="red", size="L")
    good = market.submit(hit, colour="red", sizes="S|M", size="M")

    got = report(market, hit)["HITReviewReport"]

    assert actions(got)[0] == ("review", "Succeeded", "Reviewed 1 of 3 assignments")
    assert ("size", "AgreedAnswer", "M") in results(got)
    assert {each["SubjectId"] for each in got["ReviewResults"]} == {hit.mturk_id, good.mturk_id}


def test_what_is_decided_already_stays_and_is_reported_so(market: Market) -> None:
    policy = plurality(
        ApproveIfWorkerAgreementScoreIsAtLeast="100",
        RejectIfWorkerAgreementScoreIsLessThan="100",
        DisregardAssignmentIfRejected="F",
    )
    hit = market.create_hit(HITReviewPolicy=policy, MaxAssignments=3)
    approved, rejected = answer(market, hit, "red", "red")
    market.mturk.approve_assignment(AssignmentId=approved.mturk_id)
    market.mturk.reject_assignment(AssignmentId=rejected.mturk_id, RequesterFeedback="no")
    answer(market, hit, "green")

    got = report(market, hit)["HITReviewReport"]["ReviewActions"][1:]

    assert [(each["ActionName"], each["Status"], each.get("ErrorCode")) for each in got] == [
        ("approve", "Succeeded", None),
        ("approve", "Failed", "AWS.MechanicalTurk.InvalidAssignmentState"),
        ("reject", "Succeeded", None),
    ]
    assert got[0]["Result"] == "Already approved"
    assert state(rejected) == "rejected"


def test_a_hit_nobody_answered_is_left_alone(market: Market) -> None:
    hit = market.create_hit(HITReviewPolicy=plurality(**EXTEND))

    market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=PAST)
    lifecycle.apply_due()

    assert market.status(hit)[0] == "Reviewable"
    assert not ReviewAction.objects.exists()


def test_a_policy_acts_once_however_often_time_passes(market: Market) -> None:
    policy = plurality(ApproveIfWorkerAgreementScoreIsAtLeast="0")
    hit = market.create_hit(HITReviewPolicy=policy, MaxAssignments=2)
    answer(market, hit, "red", "red")

    for _ in range(3):
        lifecycle.apply_due()
        market.wait(days=1)

    assert ReviewAction.objects.filter(name="review").count() == 1
    assert ReviewAction.objects.filter(name="approve").count() == 2


# Listing -------------------------------------------------------------------------------------------


@pytest.fixture
def reviewed(market: Market) -> HIT:
    hit = market.create_hit(AssignmentReviewPolicy=known(), HITReviewPolicy=plurality(), MaxAssignments=2)
    answer(market, hit, "red", "red")
    lifecycle.apply_due()
    return hit


def test_pages_hold_everything_once_and_end_empty(market: Market, reviewed: HIT) -> None:
    seen: list[Any] = []
    token: dict[str, Any] = {}
    while True:
        page = market.mturk.list_review_policy_results_for_hit(HITId=reviewed.mturk_id, MaxResults=4, **token)
        rows = [
            (
                each.get("SubjectId"),
                each.get("QuestionId"),
                each.get("Key"),
                each.get("ActionName"),
                each["ActionId"],
            )
            for level in ("AssignmentReviewReport", "HITReviewReport")
            for kind in ("ReviewResults", "ReviewActions")
            for each in page[level][kind]  # type: ignore[literal-required]
        ]
        assert len(rows) <= 4
        seen += rows
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}

    assert rows == []
    assert len(seen) == len(set(seen)) == ReviewResult.objects.count() + ReviewAction.objects.count()


@pytest.mark.parametrize(
    ("members", "levels", "kinds"),
    [
        ({"PolicyLevels": ["HIT"]}, {"HIT"}, {"ReviewResults", "ReviewActions"}),
        ({"PolicyLevels": ["Assignment"]}, {"Assignment"}, {"ReviewResults", "ReviewActions"}),
        ({"RetrieveActions": False}, {"Assignment", "HIT"}, {"ReviewResults"}),
        ({"RetrieveResults": False}, {"Assignment", "HIT"}, {"ReviewActions"}),
    ],
)
def test_only_what_was_asked_for_is_listed(
    market: Market, reviewed: HIT, members: dict[str, Any], levels: set[str], kinds: set[str]
) -> None:
    got = report(market, reviewed, **members)

    filled = {
        (level, kind)
        for level in ("Assignment", "HIT")
        for kind in ("ReviewResults", "ReviewActions")
        if got[f"{level}ReviewReport"][kind]
    }
    assert filled == {(level, kind) for level in levels for kind in kinds}


def test_a_hit_without_policies_has_empty_reports(market: Market) -> None:
    got = report(market, market.create_hit())

    assert (
        got["AssignmentReviewReport"] == got["HITReviewReport"] == {"ReviewResults": [], "ReviewActions": []}
    )
    assert "NextToken" not in got


def test_another_requesters_hit_does_not_exist(reviewed: HIT, make_market: Callable[[str], Market]) -> None:
    with refused() as refusal:
        report(make_market("Newsroom"), reviewed)

    assert refusal.code == "HITDoesNotExist"


# What a policy may hold ----------------------------------------------------------------------------


def without(policy: dict[str, Any], key: str) -> dict[str, Any]:
    return policy | {"Parameters": [each for each in policy["Parameters"] if each["Key"] != key]}


def twice(policy: dict[str, Any]) -> dict[str, Any]:
    return policy | {"Parameters": policy["Parameters"] * 2}


@pytest.mark.parametrize(
    ("member", "policy"),
    [
        ("AssignmentReviewPolicy", plurality()),
        ("AssignmentReviewPolicy", {"PolicyName": "ScoreMyKnownAnswers/2011-09-01"}),
        ("AssignmentReviewPolicy", twice(known())),
        ("AssignmentReviewPolicy", known(ApproveIfKnownAnswerScoreIsAtLeast="102")),
        ("AssignmentReviewPolicy", known(ApproveIfKnownAnswerScoreIsAtLeast="many")),
        ("AssignmentReviewPolicy", known(ApproveIfKnownAnswerScoreIsAtLeast="9" * 5000)),
        ("AssignmentReviewPolicy", known(ExtendMaximumAssignments="26")),
        ("AssignmentReviewPolicy", known(ExtendMinimumTimeInSeconds="59")),
        ("AssignmentReviewPolicy", known(Coffee="1")),
        ("HITReviewPolicy", known()),
        ("HITReviewPolicy", without(plurality(), "QuestionIds")),
        ("HITReviewPolicy", without(plurality(), "DisregardAssignmentIfRejected")),
        ("HITReviewPolicy", plurality(*(f"q{number}" for number in range(16)))),
        ("HITReviewPolicy", plurality("colour", "colour")),
        ("HITReviewPolicy", plurality(DisregardAssignmentIfRejected="perhaps")),
        ("HITReviewPolicy", plurality(ExtendIfHITAgreementScoreIsLessThan="50")),
        ("HITReviewPolicy", plurality(ApproveIfWorkerAgreementScoreIsAtLeast="101")),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(market: Market, member: str, policy: dict[str, Any]) -> None:
    with refused() as refusal:
        market.create_hit(**{member: policy})

    assert refusal.kind == "ParameterValidationError"
    assert not HIT.objects.exists()


def test_question_ids_may_be_spelled_as_in_mturks_samples(market: Market) -> None:
    policy = without(plurality(), "QuestionIds")
    policy["Parameters"].append({"Key": "QuestionIDs", "Values": ["colour"]})

    assert market.create_hit(HITReviewPolicy=policy)

"""HITStatus and the counters through everything that Workers, requesters and time do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from marketplace import clock, lifecycle
from marketplace.models import HIT
from tests.marketplace.conftest import Market
from tests.marketplace.refusals import refused

PAST = datetime(1970, 1, 1, tzinfo=UTC)


def expire(market: Market, hit: HIT) -> None:
    market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=PAST)


def extend(market: Market, hit: HIT, **duration: float) -> None:
    market.mturk.update_expiration_for_hit(
        HITId=hit.mturk_id, ExpireAt=clock.now() + timedelta(**duration or {"days": 1})
    )


def test_the_worked_example_with_five_slots(market: Market) -> None:
    hit = market.create_hit(MaxAssignments=5)
    assert market.status(hit) == ("Assignable", 5, 0, 0)

    held = [market.accept(hit) for _ in range(3)]
    assert market.status(hit) == ("Assignable", 2, 3, 0)

    held += [market.accept(hit) for _ in range(2)]
    for assignment in held[:2]:
        lifecycle.submit_assignment(assignment.mturk_id, [("colour", "red")])
    assert market.status(hit) == ("Unassignable", 0, 3, 0)

    lifecycle.return_assignment(held[2].mturk_id)
    assert market.status(hit) == ("Assignable", 1, 2, 0)

    for assignment in held[3:]:
        lifecycle.submit_assignment(assignment.mturk_id, [("colour", "red")])
    market.submit(hit)
    assert market.status(hit) == ("Reviewable", 0, 0, 0)

    market.mturk.approve_assignment(AssignmentId=held[0].mturk_id)
    market.mturk.reject_assignment(AssignmentId=held[1].mturk_id, RequesterFeedback="blank")
    assert market.status(hit) == ("Reviewable", 0, 0, 2)


def test_an_expired_hit_without_workers_is_reviewable_and_keeps_its_free_slots(market: Market) -> None:
    hit = market.create_hit(MaxAssignments=2)

    market.wait(days=1)

    assert market.status(hit) == ("Reviewable", 2, 0, 0)


def test_an_expired_hit_waits_for_those_who_still_work(market: Market) -> None:
    hit = market.create_hit(MaxAssignments=2)
    assignment = market.accept(hit)

    expire(market, hit)

    assert market.status(hit) == ("Unassignable", 1, 1, 0)
    lifecycle.submit_assignment(assignment.mturk_id, [("colour", "red")])
    assert market.status(hit) == ("Reviewable", 1, 0, 0)


def test_expiring_shows_about_now_as_the_expiration(market: Market) -> None:
    hit = market.create_hit()

    expire(market, hit)

    shown = market.mturk.get_hit(HITId=hit.mturk_id)["HIT"]["Expiration"]
    assert timedelta(0) <= clock.now() - shown < timedelta(minutes=1)


def test_a_future_expiration_opens_an_expired_hit_again(market: Market) -> None:
    hit = market.create_hit()
    expire(market, hit)
    HIT.objects.update(reviewing=True)

    extend(market, hit)

    assert market.status(hit) == ("Assignable", 1, 0, 0)
    market.submit(hit)
    # Not Reviewing any more: this answer nobody has looked at.
    assert market.status(hit)[0] == "Reviewable"


def test_a_hit_with_its_slots_used_stays_reviewing_when_extended(market: Market) -> None:
    hit = market.create_hit()
    market.submit(hit)
    HIT.objects.update(reviewing=True)

    extend(market, hit)

    assert market.status(hit)[0] == "Reviewing"


def test_added_slots_open_a_finished_hit_again(market: Market) -> None:
    hit = market.create_hit()
    market.submit(hit)
    HIT.objects.update(reviewing=True)

    market.mturk.create_additional_assignments_for_hit(HITId=hit.mturk_id, NumberOfAdditionalAssignments=2)

    assert market.status(hit) == ("Assignable", 2, 0, 0)
    for _ in range(2):
        market.submit(hit)
    assert market.status(hit)[0] == "Reviewable"


def test_slots_added_to_an_expired_hit_stay_unreachable(market: Market) -> None:
    hit = market.create_hit()
    expire(market, hit)

    market.mturk.create_additional_assignments_for_hit(HITId=hit.mturk_id, NumberOfAdditionalAssignments=2)

    assert market.status(hit) == ("Reviewable", 3, 0, 0)
    with pytest.raises(lifecycle.Refused):
        market.accept(hit)


@pytest.mark.parametrize(
    ("made_with", "added", "code"),
    [
        (3, 6, None),
        (3, 7, "InvalidMaximumAssignmentsIncrease"),
        (9, 1, "InvalidMaximumAssignmentsIncrease"),
        (10, 1, None),
        (10, 500, None),
    ],
)
def test_a_hit_below_ten_cannot_reach_ten(
    market: Market, made_with: int, added: int, code: str | None
) -> None:
    hit = market.create_hit(MaxAssignments=made_with)
    call = {"HITId": hit.mturk_id, "NumberOfAdditionalAssignments": added}

    if code is None:
        market.mturk.create_additional_assignments_for_hit(**call)
        assert market.status(hit)[1] == made_with + added
        return
    with refused() as refusal:
        market.mturk.create_additional_assignments_for_hit(**call)
    assert refusal.code == code
    assert market.status(hit)[1] == made_with


def test_a_repeated_token_adds_slots_once(market: Market) -> None:
    hit = market.create_hit()
    call = {"HITId": hit.mturk_id, "NumberOfAdditionalAssignments": 1, "UniqueRequestToken": "more"}
    market.mturk.create_additional_assignments_for_hit(**call)

    with refused() as refusal:
        market.mturk.create_additional_assignments_for_hit(**call)

    assert refusal.kind == "RequestError"
    assert refusal.message.startswith('The idempotency token "more" has already been processed.')
    assert market.status(hit)[1] == 2


@pytest.mark.parametrize("added", [0, -1, 1_000_000_001])
def test_a_number_of_slots_out_of_bounds_is_refused(market: Market, added: int) -> None:
    hit = market.create_hit(MaxAssignments=10)

    with refused() as refusal:
        market.mturk.create_additional_assignments_for_hit(
            HITId=hit.mturk_id, NumberOfAdditionalAssignments=added
        )
    assert refusal.kind == "ParameterValidationError"


def test_the_same_expiration_may_be_set_twice(market: Market) -> None:
    hit = market.create_hit()
    at = clock.now() + timedelta(days=3)

    for _ in range(2):
        market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=at)

    assert abs(HIT.objects.get().expires_at - at) < timedelta(seconds=1)


def test_an_expiration_over_a_year_away_is_refused(market: Market) -> None:
    hit = market.create_hit()

    with refused() as refusal:
        extend(market, hit, days=366)
    assert refusal.kind == "ParameterValidationError"


# Deleting


def test_deleting_needs_a_hit_nobody_can_work_on(market: Market) -> None:
    hit = market.create_hit()

    with refused() as refusal:
        market.mturk.delete_hit(HITId=hit.mturk_id)
    assert (refusal.kind, refusal.code) == ("RequestError", "InvalidHITState")
    assert refusal.message == (
        "This HIT is currently in the state 'Assignable'.  "
        "This operation can be called with a status of: Reviewing, Reviewable"
    )

    market.accept(hit)
    expire(market, hit)
    with refused() as refusal:
        market.mturk.delete_hit(HITId=hit.mturk_id)
    assert "'Unassignable'" in refusal.message


def test_deleting_needs_every_answer_decided(market: Market) -> None:
    hit = market.create_hit()
    assignment = market.submit(hit)

    with refused() as refusal:
        market.mturk.delete_hit(HITId=hit.mturk_id)
    assert refusal.code == "InvalidHITState"

    market.mturk.approve_assignment(AssignmentId=assignment.mturk_id)
    market.mturk.delete_hit(HITId=hit.mturk_id)
    assert market.status(hit)[0] == "Disposed"


def test_a_deleted_hit_is_seen_by_get_hit_alone_and_for_120_days(market: Market) -> None:
    hit = market.create_hit()
    expire(market, hit)
    market.mturk.delete_hit(HITId=hit.mturk_id)

    assert market.status(hit)[0] == "Disposed"
    assert market.mturk.list_hits()["HITs"] == []
    with refused() as refusal:
        market.mturk.list_assignments_for_hit(HITId=hit.mturk_id)
    assert refusal.code == "HITDoesNotExist"

    market.wait(days=121)
    with refused() as refusal:
        market.mturk.get_hit(HITId=hit.mturk_id)
    assert refusal.code == "HITDoesNotExist"


@pytest.mark.parametrize(
    "operation", ["delete_hit", "update_expiration_for_hit", "create_additional_assignments_for_hit"]
)
def test_a_deleted_hit_cannot_be_changed(market: Market, operation: str) -> None:
    hit = market.create_hit()
    expire(market, hit)
    market.mturk.delete_hit(HITId=hit.mturk_id)
    members = {
        "delete_hit": {},
        "update_expiration_for_hit": {"ExpireAt": clock.now() + timedelta(days=1)},
        "create_additional_assignments_for_hit": {"NumberOfAdditionalAssignments": 1},
    }[operation]

    with refused() as refusal:
        getattr(market.mturk, operation)(HITId=hit.mturk_id, **members)

    assert refusal.code == "InvalidHITState"
    assert refusal.message.startswith("This HIT is currently in the state 'Disposed'.  ")


def test_a_hit_nobody_touched_for_120_days_is_disposed_of(market: Market) -> None:
    old, live = market.create_hit(), market.create_hit(LifetimeInSeconds=31_536_000)
    market.submit(old)
    market.wait(hours=2)
    lifecycle.apply_due()  # approves the old one's answer

    market.wait(days=119)
    assert lifecycle.dispose_forgotten() == 0
    market.wait(days=1)
    assert lifecycle.dispose_forgotten() == 1

    assert market.status(old)[0] == "Disposed"
    assert market.status(live)[0] == "Assignable"


# What is not one's own


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("get_hit", {}),
        ("delete_hit", {}),
        ("list_assignments_for_hit", {}),
        ("update_expiration_for_hit", {"ExpireAt": PAST}),
        ("create_additional_assignments_for_hit", {"NumberOfAdditionalAssignments": 1}),
    ],
)
@pytest.mark.parametrize("whose", ["nobody's", "another's"])
def test_a_hit_that_is_not_ones_own_does_not_exist(
    make_market: Any, operation: str, members: dict[str, Any], whose: str
) -> None:
    hit_id = make_market("Lab").create_hit().mturk_id if whose == "another's" else "3UNKNOWN"

    with refused() as refusal:
        getattr(make_market("Newsroom").mturk, operation)(HITId=hit_id, **members)

    assert (refusal.kind, refusal.code) == ("RequestError", "HITDoesNotExist")
    assert refusal.message == f"Hit {hit_id} does not exist."

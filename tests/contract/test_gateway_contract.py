"""What code above the gateway may rely on, held against FakeMTurk and the marketplace over HTTP."""

import json
import uuid
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from mturkhub.gateway.answer_xml import read_answer
from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError, existing_hit_id
from mturkhub.gateway.question_xml import html_question
from tests.contract.conftest import Commands
from tests.fakes.mturk import FakeMTurk

OLIVE, MINA, RAVI = "ATESTOLIVE00", "ATESTMINA000", "ATESTRAVI000"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FakeMarket:
    """FakeMTurk with the handles of MarketplaceMarket."""

    def __init__(self) -> None:
        self.gateway = FakeMTurk()
        self.accept = self.gateway.accept
        self.submit = self.gateway.submit
        self.give_back = self.gateway.give_back
        self.advance = self.gateway.advance


class MarketplaceMarket:
    """A requester of their own on the marketplace, with Workers who act from its command line."""

    def __init__(self, url: str, manage: Commands) -> None:
        key_id, secret = manage("add_requester", f"Contract {uuid.uuid4()}").split()
        self.gateway = MTurkGateway(url, key_id, secret)
        self._manage = manage

    def accept(self, hit_id: str, worker_id: str) -> str:
        return self._manage("worker_act", "accept", hit_id, worker_id)

    def submit(self, hit_id: str, worker_id: str, fields: Mapping[str, str] | None = None) -> str:
        # Accepting what one holds already gives the same again.
        self.accept(hit_id, worker_id)
        fields = dict(fields or {"sentiment": "7"})
        return self._manage("worker_act", "submit", hit_id, worker_id, json.dumps(fields))

    def give_back(self, hit_id: str, worker_id: str) -> None:
        self._manage("worker_act", "return", hit_id, worker_id)

    def advance(self, by: timedelta) -> None:
        self._manage("advance_clock", str(by.total_seconds()))
        self._manage("tick")


@pytest.fixture(params=["fake", "marketplace"])
def market(request):
    if request.param == "fake":
        return FakeMarket()
    server = request.getfixturevalue("marketplace_server")
    return MarketplaceMarket(server.url, request.getfixturevalue("manage"))


TYPE = {
    "title": "How positive is this?",
    "description": "Read one sentence.",
    "keywords": "text, sentiment",
    "reward": Decimal("0.05"),
    "assignment_duration": timedelta(minutes=10),
    "auto_approval_delay": timedelta(days=3),
}


def create_hit(market, *, slots=3, lifetime=timedelta(days=1), token="", annotation="note", **of_type):
    hit_type_id = market.gateway.create_hit_type(**{**TYPE, **of_type})
    return market.gateway.create_hit_with_hit_type(
        hit_type_id=hit_type_id,
        question=html_question("<p>7?</p>", 0),
        lifetime=lifetime,
        max_assignments=slots,
        requester_annotation=annotation,
        unique_request_token=token or str(uuid.uuid4()),
    )


@contextmanager
def refused(code: str, kind: str = "RequestError"):
    """MTurk's own no: it did not happen, and saying it again does not help."""
    with pytest.raises(MTurkError) as caught:
        yield caught
    error = caught.value
    assert (error.kind, error.code) == (kind, code)
    assert not error.may_have_happened
    assert not error.retry_can_help


def counters(market, hit_id):
    hit = market.gateway.get_hit(hit_id)
    return hit.hit_status, hit.available, hit.pending, hit.completed


# HIT types and HITs ------------------------------------------------------------------------------


def test_equal_properties_are_the_same_hit_type(market):
    first = market.gateway.create_hit_type(**TYPE)

    assert market.gateway.create_hit_type(**TYPE) == first
    assert market.gateway.create_hit_type(**{**TYPE, "reward": Decimal("0.06")}) != first


def test_a_new_hit_shows_what_it_was_made_with(market):
    annotation = f"BatchId:7;OriginalHitTemplateId:3;Mturkhub:{uuid.uuid4()}/{uuid.uuid4()};"

    hit = create_hit(market, slots=3, annotation=annotation, lifetime=timedelta(days=2))

    assert (hit.hit_status, hit.max_assignments) == ("Assignable", 3)
    assert (hit.available, hit.pending, hit.completed, hit.submitted_or_decided) == (3, 0, 0, 0)
    assert hit.requester_annotation == annotation
    assert hit.expires_at - hit.created_at == timedelta(days=2)
    assert hit.created_at.tzinfo == UTC
    assert market.gateway.get_hit(hit.hit_id) == hit
    assert (hit.title, hit.reward) == (TYPE["title"], TYPE["reward"])
    [[listed]] = market.gateway.list_hits()
    assert listed == hit


def test_the_terms_of_a_hits_type_and_its_question_are_read_back(market):
    hit = create_hit(market)

    terms = market.gateway.get_hit_terms(hit.hit_id)

    assert (terms.description, terms.keywords) == (TYPE["description"], TYPE["keywords"])
    assert terms.assignment_duration == TYPE["assignment_duration"]
    assert terms.auto_approval_delay == TYPE["auto_approval_delay"]
    assert terms.qualification_requirements == []
    assert terms.question == html_question("<p>7?</p>", 0)


def test_a_repeated_token_is_refused_with_the_id_of_the_hit_it_made(market):
    token = str(uuid.uuid4())
    hit = create_hit(market, token=token)

    with refused("HitAlreadyExists") as caught:
        create_hit(market, token=token, annotation="another")

    assert existing_hit_id(caught.value) == hit.hit_id
    assert [len(page) for page in market.gateway.list_hits()] == [1]


def test_a_refused_creation_does_not_use_up_its_token(market):
    token = str(uuid.uuid4())
    with refused("", kind="ParameterValidationError"):
        create_hit(market, token=token, lifetime=timedelta(seconds=1))

    create_hit(market, token=token)


def test_a_token_is_forgotten_after_a_day(market):
    token = str(uuid.uuid4())
    first = create_hit(market, token=token)
    market.advance(timedelta(hours=24, seconds=1))

    assert create_hit(market, token=token).hit_id != first.hit_id


@pytest.mark.parametrize(
    "wrong",
    [{"title": "t" * 129}, {"keywords": "k" * 1001}, {"annotation": "a" * 256}],
    ids=["title", "keywords", "annotation"],
)
def test_a_value_over_its_limit_is_refused(market, wrong):
    with refused("", kind="ParameterValidationError"):
        create_hit(market, **wrong)


def test_a_hit_that_does_not_exist_is_refused_in_words(market):
    with refused("HITDoesNotExist") as caught:
        market.gateway.get_hit("3" + "X" * 29)

    assert caught.value.is_gone
    assert caught.value.sentence == f"MTurk refused GetHIT: Hit 3{'X' * 29} does not exist."


def test_listing_goes_through_every_page_to_the_empty_one(market):
    made = {create_hit(market, annotation=str(number)).hit_id for number in range(103)}

    pages = list(market.gateway.list_hits())

    assert [len(page) for page in pages] == [100, 3]
    assert {hit.hit_id for page in pages for hit in page} == made


def test_a_requester_without_hits_lists_none(market):
    assert list(market.gateway.list_hits()) == []


# States and counters -----------------------------------------------------------------------------


def test_counters_follow_the_workers(market):
    hit_id = create_hit(market, slots=2).hit_id

    market.accept(hit_id, OLIVE)
    assert counters(market, hit_id) == ("Assignable", 1, 1, 0)
    market.accept(hit_id, MINA)
    assert counters(market, hit_id) == ("Unassignable", 0, 2, 0)
    market.give_back(hit_id, OLIVE)
    assert counters(market, hit_id) == ("Assignable", 1, 1, 0)
    market.submit(hit_id, MINA)
    assert counters(market, hit_id) == ("Assignable", 1, 0, 0)
    assignment_id = market.submit(hit_id, RAVI)
    # Submitted is not completed: only a decision makes it so.
    assert counters(market, hit_id) == ("Reviewable", 0, 0, 0)
    market.gateway.approve_assignment(assignment_id)
    assert counters(market, hit_id) == ("Reviewable", 0, 0, 1)


def test_an_accepted_hit_whose_time_runs_out_is_free_again(market):
    hit_id = create_hit(market, slots=1, assignment_duration=timedelta(seconds=30)).hit_id
    market.accept(hit_id, OLIVE)

    market.advance(timedelta(seconds=31))

    assert counters(market, hit_id) == ("Assignable", 1, 0, 0)


def test_expiring_stops_new_accepts_and_lets_holders_finish(market):
    hit_id = create_hit(market, slots=3).hit_id
    market.accept(hit_id, OLIVE)

    market.gateway.update_expiration_for_hit(hit_id, expire_at=EPOCH)

    # The free slots are still counted, and nobody can take them.
    assert counters(market, hit_id) == ("Unassignable", 2, 1, 0)
    market.submit(hit_id, OLIVE)
    assert counters(market, hit_id) == ("Reviewable", 2, 0, 0)


def test_a_future_expiration_makes_an_expired_hit_available_again(market):
    hit = create_hit(market, slots=1)
    market.gateway.update_expiration_for_hit(hit.hit_id, expire_at=EPOCH)

    market.gateway.update_expiration_for_hit(hit.hit_id, expire_at=hit.expires_at + timedelta(days=1))

    assert counters(market, hit.hit_id) == ("Assignable", 1, 0, 0)


def test_additional_assignments_are_added_once_per_token(market):
    hit_id = create_hit(market, slots=3).hit_id
    token = str(uuid.uuid4())
    market.gateway.create_additional_assignments_for_hit(hit_id, number=2, unique_request_token=token)

    with refused("DuplicateRequest") as caught:
        market.gateway.create_additional_assignments_for_hit(hit_id, number=2, unique_request_token=token)

    assert caught.value.is_repeat
    assert market.gateway.get_hit(hit_id).max_assignments == 5


def test_nine_cannot_grow_to_ten(market):
    hit_id = create_hit(market, slots=9).hit_id

    with refused("InvalidMaximumAssignmentsIncrease"):
        market.gateway.create_additional_assignments_for_hit(
            hit_id, number=1, unique_request_token=str(uuid.uuid4())
        )


def test_a_hit_is_deleted_only_when_nobody_works_and_everything_is_decided(market):
    hit_id = create_hit(market, slots=1).hit_id
    with refused("InvalidHITState"):
        market.gateway.delete_hit(hit_id)
    assignment_id = market.submit(hit_id, OLIVE)
    with refused("InvalidHITState"):
        market.gateway.delete_hit(hit_id)
    market.gateway.approve_assignment(assignment_id)

    market.gateway.delete_hit(hit_id)

    assert market.gateway.get_hit(hit_id).hit_status == "Disposed"
    assert list(market.gateway.list_hits()) == []
    with refused("HITDoesNotExist"):
        market.gateway.list_assignments_for_hit(hit_id)


# Assignments -------------------------------------------------------------------------------------


def test_a_submitted_assignment_is_listed_with_its_answer(market):
    hit_id = create_hit(market).hit_id
    fields = {"sentiment": "9", "why": "  it says “lovely” & <more>\n", "empty": ""}

    assignment_id = market.submit(hit_id, OLIVE, fields)

    (listed,) = market.gateway.list_assignments_for_hit(hit_id)
    assert (listed.assignment_id, listed.hit_id, listed.worker_id) == (assignment_id, hit_id, OLIVE)
    assert (listed.status, listed.feedback, listed.approved_at, listed.rejected_at) == (
        "Submitted",
        "",
        None,
        None,
    )
    assert listed.auto_approval_at - listed.submitted_at == timedelta(days=3)
    assert listed.deadline_at - listed.accepted_at == timedelta(minutes=10)
    read = read_answer(listed.answer)
    assert not read.is_damaged
    assert {name: value.replace("\r\n", "\n") for name, (value,) in read.fields.items()} == fields
    assert market.gateway.get_assignment(assignment_id) == listed


def test_what_a_worker_only_holds_is_not_shown(market):
    hit_id = create_hit(market).hit_id
    assignment_id = market.accept(hit_id, OLIVE)

    assert market.gateway.list_assignments_for_hit(hit_id) == []
    with refused("InvalidAssignmentState"):
        market.gateway.get_assignment(assignment_id)


def test_all_three_statuses_are_listed_in_the_order_of_submission(market):
    hit_id = create_hit(market).hit_id
    first, second, third = (market.submit(hit_id, worker) for worker in (OLIVE, MINA, RAVI))

    market.gateway.approve_assignment(second, feedback="Thank you")
    market.gateway.reject_assignment(third, feedback="No number")

    listed = market.gateway.list_assignments_for_hit(hit_id)
    assert [(each.assignment_id, each.status, each.feedback) for each in listed] == [
        (first, "Submitted", ""),
        (second, "Approved", "Thank you"),
        (third, "Rejected", "No number"),
    ]
    assert [bool(each.approved_at) for each in listed] == [False, True, False]
    assert [bool(each.rejected_at) for each in listed] == [False, False, True]


@pytest.mark.parametrize("first", ["approve", "reject"])
@pytest.mark.parametrize("second", ["approve", "reject"])
def test_a_decided_assignment_cannot_be_decided_again(market, first, second):
    assignment_id = market.submit(create_hit(market).hit_id, OLIVE)
    decide = {
        "approve": lambda: market.gateway.approve_assignment(assignment_id),
        "reject": lambda: market.gateway.reject_assignment(assignment_id, feedback="No"),
    }
    decide[first]()

    with refused("InvalidAssignmentState") as caught:
        decide[second]()

    assert "This operation can be called with a status of: Submitted" in caught.value.details


def test_a_rejection_can_be_overturned(market):
    assignment_id = market.submit(create_hit(market).hit_id, OLIVE)
    market.gateway.reject_assignment(assignment_id, feedback="No")

    market.gateway.approve_assignment(assignment_id, feedback="Sorry", override_rejection=True)

    overturned = market.gateway.get_assignment(assignment_id)
    assert (overturned.status, overturned.feedback) == ("Approved", "Sorry")
    assert overturned.approved_at
    assert overturned.rejected_at


def test_a_rejection_older_than_thirty_days_stands(market):
    assignment_id = market.submit(create_hit(market).hit_id, OLIVE)
    market.gateway.reject_assignment(assignment_id, feedback="No")
    market.advance(timedelta(days=30, seconds=1))

    with refused("InvalidAssignmentState"):
        market.gateway.approve_assignment(assignment_id, override_rejection=True)


def test_time_approves_what_nobody_decided(market):
    assignment_id = market.submit(create_hit(market, auto_approval_delay=timedelta(seconds=60)).hit_id, OLIVE)

    market.advance(timedelta(seconds=61))

    assert market.gateway.get_assignment(assignment_id).status == "Approved"


def test_an_assignment_that_does_not_exist_is_refused(market):
    unknown = "3" + "Y" * 29
    for call in (
        lambda: market.gateway.get_assignment(unknown),
        lambda: market.gateway.approve_assignment(unknown),
        lambda: market.gateway.reject_assignment(unknown, feedback="No"),
    ):
        with refused("AssignmentDoesNotExist") as caught:
            call()
        assert caught.value.is_gone


# Bonuses -----------------------------------------------------------------------------------------


def bonus(market, assignment_id, *, amount="0.50", reason="Thank you", worker=OLIVE, token=""):
    market.gateway.send_bonus(
        assignment_id,
        worker_id=worker,
        amount=Decimal(amount),
        reason=reason,
        unique_request_token=token or str(uuid.uuid4()),
    )


def test_a_bonus_is_paid_at_once_and_listed_by_assignment_and_by_hit(market):
    hit_id = create_hit(market, slots=2, reward=Decimal("0.50")).hit_id
    first, second = market.submit(hit_id, OLIVE), market.submit(hit_id, MINA)
    before = balance(market)[0]

    bonus(market, first, amount="2.00", reason="Careful & kind “work”")
    bonus(market, first, amount="0.01")
    bonus(market, second, worker=MINA)

    # Each with 20 % and at least a cent.
    assert before - balance(market)[0] == Decimal("2.40") + Decimal("0.02") + Decimal("0.60")
    paid = market.gateway.list_bonus_payments(assignment_id=first)
    assert [(each.worker_id, each.amount, each.reason) for each in paid] == [
        (OLIVE, Decimal("2.00"), "Careful & kind “work”"),
        (OLIVE, Decimal("0.01"), "Thank you"),
    ]
    assert paid[0].granted_at.tzinfo == UTC
    of_hit = market.gateway.list_bonus_payments(hit_id=hit_id)
    assert [each.assignment_id for each in of_hit] == [first, first, second]


def test_bonuses_are_listed_through_every_page(market):
    hit_id = create_hit(market, slots=1).hit_id
    assignment_id = market.submit(hit_id, OLIVE)
    for _ in range(101):
        bonus(market, assignment_id, amount="0.01")

    assert len(market.gateway.list_bonus_payments(hit_id=hit_id)) == 101


def test_a_bonus_with_a_used_token_is_refused_and_not_paid_twice(market):
    assignment_id = market.submit(create_hit(market).hit_id, OLIVE)
    token = str(uuid.uuid4())
    bonus(market, assignment_id, token=token)

    with refused("DuplicateRequest") as caught:
        bonus(market, assignment_id, token=token)

    assert caught.value.is_repeat
    assert len(market.gateway.list_bonus_payments(assignment_id=assignment_id)) == 1


def test_a_bonus_without_a_reason_an_amount_or_the_right_worker_is_refused(market):
    assignment_id = market.submit(create_hit(market).hit_id, OLIVE)

    with refused("", kind="ParameterValidationError"):
        bonus(market, assignment_id, amount="0.00")
    with refused("", kind="ParameterValidationError"):
        bonus(market, assignment_id, reason="  ")
    with refused("AssignmentDoesNotExist"):
        bonus(market, assignment_id, worker=MINA)

    assert market.gateway.list_bonus_payments(assignment_id=assignment_id) == []


def test_a_bonus_the_balance_does_not_cover_is_not_paid(market):
    assignment_id = market.submit(create_hit(market).hit_id, OLIVE)

    with refused("InsufficientFunds"):
        bonus(market, assignment_id, amount="9000.00")

    assert market.gateway.list_bonus_payments(assignment_id=assignment_id) == []


# Money -------------------------------------------------------------------------------------------


def balance(market):
    both = market.gateway.get_account_balance()
    return both.available, both.on_hold


def test_money_is_held_paid_and_released_to_the_cent(market):
    assert balance(market) == (Decimal("10000.00"), None)

    hit_id = create_hit(market, slots=3, reward=Decimal("0.50")).hit_id
    assert balance(market) == (Decimal("9998.20"), Decimal("1.80"))

    market.gateway.approve_assignment(market.submit(hit_id, OLIVE))
    assert balance(market) == (Decimal("9998.20"), Decimal("1.20"))

    rejected = market.submit(hit_id, MINA)
    market.gateway.reject_assignment(rejected, feedback="No")
    assert balance(market) == (Decimal("9998.80"), Decimal("0.60"))

    market.gateway.update_expiration_for_hit(hit_id, expire_at=EPOCH)
    assert balance(market) == (Decimal("9999.40"), None)

    market.gateway.approve_assignment(rejected, override_rejection=True)
    assert balance(market) == (Decimal("9998.80"), None)


def test_ten_slots_cost_the_higher_fee(market):
    create_hit(market, slots=10, reward=Decimal("0.50"))

    assert balance(market) == (Decimal("9993.00"), Decimal("7.00"))


def test_a_hit_the_balance_does_not_cover_is_not_made(market):
    with refused("InsufficientFunds") as caught:
        create_hit(market, slots=9, reward=Decimal("1000.00"))

    assert caught.value.is_insufficient_funds
    assert balance(market) == (Decimal("10000.00"), None)
    assert list(market.gateway.list_hits()) == []


# Notifications -----------------------------------------------------------------------------------


def test_events_of_a_type_can_be_sent_to_a_queue_again_and_to_none(market, queues):
    hit_type_id = market.gateway.create_hit_type(**TYPE)

    for queue_url in (f"{queues}/123456789012/contract", f"{queues}/123456789012/contract", ""):
        market.gateway.update_notification_settings(
            hit_type_id, queue_url=queue_url, event_types=["AssignmentSubmitted"]
        )


def test_a_type_that_is_not_there_has_no_notifications(market, queues):
    with refused("HITTypeDoesNotExist"):
        market.gateway.update_notification_settings(
            "3NOTTHERE", queue_url=f"{queues}/123456789012/contract", event_types=["AssignmentSubmitted"]
        )

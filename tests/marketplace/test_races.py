"""Many at once: threads with connections of their own, committed for real."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.db import connection, transaction

from marketplace import clock, delivering, granting, lifecycle, reviewing
from marketplace.models import (
    HIT,
    Assignment,
    Balance,
    Bonus,
    Qualification,
    QualificationRequest,
    QualificationType,
    Worker,
)
from tests.marketplace.conftest import QUESTION, TYPE, Market, mturk_client
from tests.marketplace.forms import TEST_KEY
from tests.marketplace.test_granting import RIGHT
from tests.marketplace.test_money import check_agreement
from tests.marketplace.test_notifications import Hook, hook, subscribe
from tests.marketplace.test_qualification_types import KIND, TESTED, make, require
from tests.marketplace.test_reviewing import EXTEND, plurality

__all__ = ["hook"]
pytestmark = pytest.mark.django_db(transaction=True)


def at_once(acts: list[Callable[[], Any]], *, threads: int = 20) -> Counter[str]:
    """Run the acts together; counts what became of them: "done", or the code of the refusal."""
    start = threading.Barrier(min(threads, len(acts)))
    first = threading.local()

    def run(act: Callable[[], Any]) -> str:
        if not hasattr(first, "waited"):
            first.waited = True
            start.wait(timeout=30)
        try:
            act()
        except lifecycle.Refused as refusal:
            return refusal.code
        except ClientError as error:
            return str(error.response.get("TurkErrorCode") or error.response["Error"]["Code"]).split(".")[-1]
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(threads) as pool:
        return Counter(pool.map(run, acts))


@pytest.fixture
def open_market(transactional_db: None, make_market: Callable[[str], Market]) -> Market:
    return make_market("Lab")


def workers(count: int) -> list[Worker]:
    now = clock.now()
    return Worker.objects.bulk_create(Worker(created_at=now) for _ in range(count))


def test_200_workers_racing_for_seven_slots_take_exactly_seven(open_market: Market) -> None:
    hit = open_market.create_hit(MaxAssignments=7)

    outcomes = at_once([lambda worker=worker: lifecycle.accept_hit(hit, worker) for worker in workers(200)])

    assert outcomes == {"done": 7, "none_left": 193}
    assert Assignment.objects.count() == 7
    check_agreement()


def test_workers_racing_through_a_group_are_all_served_while_there_are_slots(open_market: Market) -> None:
    hits = [open_market.create_hit(MaxAssignments=2) for _ in range(15)]

    outcomes = at_once(
        [lambda worker=worker: lifecycle.accept_any(hits[0].hit_type, worker) for worker in workers(40)],
        threads=8,
    )

    assert outcomes == {"done": 30, "none_left": 10}
    check_agreement()


def test_one_worker_clicking_often_holds_one_assignment(open_market: Market) -> None:
    hit, [worker] = open_market.create_hit(MaxAssignments=9), workers(1)

    at_once([lambda: lifecycle.accept_hit(hit, worker)] * 20)

    assert Assignment.objects.count() == 1


def test_a_form_sent_often_is_one_submission(open_market: Market) -> None:
    assignment = open_market.accept(open_market.create_hit())

    outcomes = at_once([lambda: lifecycle.submit_assignment(assignment.mturk_id, [("a", "b")])] * 20)

    assert outcomes == {"done": 1, "submitted": 19}


def client_of(market: Market) -> Any:
    return mturk_client(market.keys.key_id, market.keys.secret)


def test_equal_tokens_racing_make_one_hit(open_market: Market) -> None:
    def create() -> None:
        client_of(open_market).create_hit(
            **TYPE, LifetimeInSeconds=60, Question=QUESTION, UniqueRequestToken="row-1"
        )

    assert at_once([create] * 12, threads=6) == {"done": 1, "HitAlreadyExists": 11}
    assert HIT.objects.count() == 1
    check_agreement()


def test_creations_racing_for_the_last_money_never_overdraw(open_market: Market) -> None:
    Balance.objects.update(available=Decimal("3.00"))  # five slots' worth

    def create() -> None:
        client_of(open_market).create_hit(**TYPE, LifetimeInSeconds=60, Question=QUESTION)

    assert at_once([create] * 12, threads=6) == {"done": 5, "InsufficientFunds": 7}
    assert Balance.objects.get().available == Decimal(0)


def test_equal_tokens_racing_pay_one_bonus(open_market: Market) -> None:
    assignment = open_market.submit(open_market.create_hit())

    def pay() -> None:
        client_of(open_market).send_bonus(
            AssignmentId=assignment.mturk_id,
            WorkerId=assignment.worker.mturk_id,
            BonusAmount="1.00",
            Reason="Well done",
            UniqueRequestToken="bonus-1",
        )

    assert at_once([pay] * 12, threads=6) == {"done": 1, "DuplicateRequest": 11}
    assert Bonus.objects.count() == 1
    check_agreement()


def test_approving_and_rejecting_at_once_decides_once(open_market: Market) -> None:
    hit = open_market.create_hit(MaxAssignments=5)
    assignments = [open_market.submit(hit) for _ in range(5)]
    acts: list[Callable[[], Any]] = []
    for each in assignments:
        acts.append(lambda each=each: client_of(open_market).approve_assignment(AssignmentId=each.mturk_id))
        acts.append(
            lambda each=each: client_of(open_market).reject_assignment(
                AssignmentId=each.mturk_id, RequesterFeedback="no"
            )
        )

    assert at_once(acts, threads=6) == {"done": 5, "InvalidAssignmentState": 5}
    check_agreement()


def test_several_processes_may_do_what_time_does_at_once(open_market: Market) -> None:
    for _ in range(4):
        hit = open_market.create_hit(MaxAssignments=5, AutoApprovalDelayInSeconds=0)
        for _ in range(3):
            open_market.submit(hit)
        open_market.accept(hit)
    clock.advance(timedelta(days=2))

    at_once([lifecycle.apply_due] * 4, threads=4)

    # A pass skips what another one has locked; one more finds nothing left.
    lifecycle.apply_due()
    assert not lifecycle.something_is_due()
    assert set(Assignment.objects.values_list("state", flat=True)) == {"approved", "abandoned"}
    check_agreement()


# Qualifications


def test_grants_racing_make_one_qualification(open_market: Market) -> None:
    kind, [worker] = make(open_market), workers(1)

    outcomes = at_once(
        [lambda value=value: give_with(open_market, kind, worker, value) for value in range(12)], threads=6
    )

    assert outcomes == {"done": 12}
    assert Qualification.objects.get().value in range(12)


def give_with(market: Market, kind: dict[str, Any], worker: Worker, value: int) -> None:
    client_of(market).associate_qualification_with_worker(
        QualificationTypeId=kind["QualificationTypeId"], WorkerId=worker.mturk_id, IntegerValue=value
    )


def test_a_worker_asking_often_has_one_request(open_market: Market) -> None:
    kind, [worker] = make(open_market), workers(1)

    outcomes = at_once([lambda: granting.ask(kind["QualificationTypeId"], worker)] * 12, threads=6)

    assert outcomes == {"done": 1, "pending": 11}
    assert QualificationRequest.objects.count() == 1


def test_a_request_that_is_accepted_rejected_and_overtaken_at_once_is_decided_once(
    open_market: Market,
) -> None:
    kind, [worker] = make(open_market), workers(1)
    request = {
        "QualificationRequestId": granting.ask(kind["QualificationTypeId"], worker).mturk_id,
    }
    acts: list[Callable[[], Any]] = [
        lambda: client_of(open_market).accept_qualification_request(**request, IntegerValue=5),
        lambda: client_of(open_market).reject_qualification_request(**request),
        lambda: give_with(open_market, kind, worker, 7),
    ]

    outcomes = at_once(acts * 3, threads=9)

    assert outcomes == {"done": 4, "InvalidQualificationRequestState": 5}
    assert Qualification.objects.get().value in {5, 7}


def test_a_test_sent_often_is_scored_once(open_market: Market) -> None:
    kind, [worker] = make(open_market, **TESTED, AnswerKey=TEST_KEY), workers(1)
    request = granting.ask(kind["QualificationTypeId"], worker)

    outcomes = at_once([lambda: granting.submit_test(request.mturk_id, worker, RIGHT)] * 12, threads=6)

    assert outcomes == {"done": 1, "submitted": 11}
    assert Qualification.objects.get().value == 100


def test_equal_names_racing_make_one_type(open_market: Market) -> None:
    def create() -> None:
        client_of(open_market).create_qualification_type(**KIND)

    assert at_once([create] * 8, threads=8) == {"done": 1, "QualificationTypeAlreadyExists": 7}


def test_no_hit_is_made_for_a_type_that_is_gone(open_market: Market) -> None:
    """Either the type waits for the HIT, or the HIT is refused."""
    kind = make(open_market)
    type_id = kind["QualificationTypeId"]
    acts: list[Callable[[], Any]] = [
        lambda: client_of(open_market).create_hit(
            **TYPE, LifetimeInSeconds=60, Question=QUESTION, **require(kind)
        )
    ] * 6
    acts.insert(3, lambda: client_of(open_market).delete_qualification_type(QualificationTypeId=type_id))

    outcomes = at_once(acts, threads=7)

    made = HIT.objects.count()
    assert outcomes["done"] == made + 1
    assert outcomes["InvalidQualificationTypeState"] == 6 - made
    assert (QualificationType.objects.get().disposed_at is None) is (made > 0)


def test_a_policy_that_several_processes_run_at_once_acts_once(open_market: Market) -> None:
    hit = open_market.create_hit(MaxAssignments=2, HITReviewPolicy=plurality(**EXTEND))
    for colour in ("red", "green"):
        open_market.submit(hit, colour=colour)

    assert at_once([lifecycle.apply_due] * 6, threads=6) == {"done": 6}

    hit.refresh_from_db()
    assert hit.max_assignments == 3
    assert sorted(hit.review_actions.values_list("name", flat=True)) == ["extend", "review"]
    check_agreement()


def test_a_policy_whose_process_dies_before_the_commit_acts_once_afterwards(open_market: Market) -> None:
    hit = open_market.create_hit(MaxAssignments=2, HITReviewPolicy=plurality(**EXTEND))
    for colour in ("red", "green"):
        open_market.submit(hit, colour=colour)

    with transaction.atomic():
        assert reviewing.review_next_hit() == 1
        # What becomes of a transaction whose session is gone.
        transaction.set_rollback(True)
    assert not hit.review_actions.exists()

    lifecycle.apply_due()
    assert hit.review_actions.filter(name="extend").count() == 1
    check_agreement()


def test_an_event_that_several_processes_deliver_at_once_is_sent_once(open_market: Market, hook: str) -> None:
    subscribe(open_market, hook)
    for _ in range(5):
        open_market.create_hit()

    assert at_once([delivering.deliver_due] * 4, threads=4) == {"done": 4}

    assert len({posted["EventDocId"] for posted in Hook.posted}) == len(Hook.posted) == 5

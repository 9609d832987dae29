"""Writing to Workers: whom it reaches, and what is said of the others."""

from collections.abc import Callable
from typing import Any

import pytest

from marketplace.models import Message, Worker
from tests.marketplace.conftest import Market
from tests.marketplace.refusals import refused

LETTER = {"Subject": "A new study", "MessageText": "Come back."}


@pytest.fixture
def paid(market: Market) -> Worker:
    """A Worker whose work was approved."""
    assignment = market.submit(market.create_hit())
    market.mturk.approve_assignment(AssignmentId=assignment.mturk_id)
    return assignment.worker


def notify(market: Market, *worker_ids: str, **members: str) -> list[Any]:
    answer = market.mturk.notify_workers(**LETTER | members, WorkerIds=list(worker_ids))
    return list(answer["NotifyWorkersFailureStatuses"])


def test_whoever_was_approved_or_rejected_gets_it(market: Market, paid: Worker) -> None:
    rejected = market.submit(market.create_hit())
    market.mturk.reject_assignment(AssignmentId=rejected.mturk_id, RequesterFeedback="no")

    assert notify(market, paid.mturk_id, rejected.worker.mturk_id) == []

    assert set(Message.objects.values_list("worker", "subject", "text")) == {
        (paid.pk, "A new study", "Come back."),
        (rejected.worker.pk, "A new study", "Come back."),
    }


def test_whoever_cannot_be_written_to_is_named_and_the_others_get_it(
    market: Market, make_market: Callable[[str], Market], paid: Worker
) -> None:
    undecided = market.submit(market.create_hit()).worker
    other = make_market("Newsroom")
    elsewhere = other.submit(other.create_hit())
    other.mturk.approve_assignment(AssignmentId=elsewhere.mturk_id)

    failures = notify(market, "ANOBODY", undecided.mturk_id, paid.mturk_id, elsewhere.worker.mturk_id)

    assert [(each["WorkerId"], each["NotifyWorkersFailureCode"]) for each in failures] == [
        ("ANOBODY", "HardFailure"),
        (undecided.mturk_id, "HardFailure"),
        (elsewhere.worker.mturk_id, "HardFailure"),
    ]
    assert "ANOBODY" in failures[0]["NotifyWorkersFailureMessage"]
    assert list(Message.objects.values_list("worker", flat=True)) == [paid.pk]


def test_a_worker_whose_account_is_switched_off_may_be_tried_later(market: Market, paid: Worker) -> None:
    Worker.objects.update(is_active=False)

    [failure] = notify(market, paid.mturk_id)

    assert (failure["WorkerId"], failure["NotifyWorkersFailureCode"]) == (paid.mturk_id, "SoftFailure")
    assert not Message.objects.exists()


def test_whoever_is_named_twice_gets_it_once(market: Market, paid: Worker) -> None:
    notify(market, paid.mturk_id, paid.mturk_id)

    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    "members",
    [
        {"Subject": ""},
        {"Subject": "x" * 201},
        {"MessageText": ""},
        {"MessageText": "x" * 4097},
        {"WorkerIds": []},
        {"WorkerIds": [f"AWORKER{number}" for number in range(101)]},
        {"WorkerIds": ["wanda"]},
    ],
)
def test_a_letter_that_is_wrong_reaches_nobody(market: Market, paid: Worker, members: dict[str, Any]) -> None:
    with refused() as refusal:
        market.mturk.notify_workers(**LETTER | {"WorkerIds": [paid.mturk_id]} | members)

    assert refusal.kind == "ParameterValidationError"
    assert not Message.objects.exists()


def test_the_longest_letter_to_the_most_workers_fits(market: Market, paid: Worker) -> None:
    others = [f"AWORKER{number}" for number in range(99)]

    failures = notify(market, paid.mturk_id, *others, Subject="x" * 200, MessageText="x" * 4096)

    assert len(failures) == 99
    assert Message.objects.count() == 1

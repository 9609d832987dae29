"""Whose work a requester does not want."""

from collections.abc import Callable

import pytest

from marketplace import lifecycle
from marketplace.models import WorkerBlock
from marketplace.operations import workers
from tests.marketplace.conftest import Market
from tests.marketplace.refusals import refused


def test_a_blocked_worker_cannot_accept_and_submits_what_they_hold(market: Market) -> None:
    worker, hit, held = market.worker(), market.create_hit(), market.create_hit()
    assignment = market.accept(held, worker)
    market.mturk.create_worker_block(WorkerId=worker.mturk_id, Reason="spam")

    for accept in (
        lambda: lifecycle.accept_hit(hit, worker),
        lambda: lifecycle.accept_hit(hit, worker, or_another=True),
        lambda: lifecycle.accept_any(hit.hit_type, worker),
    ):
        with pytest.raises(lifecycle.Refused) as caught:
            accept()
        # Not that they are blocked: the Worker is not told.
        assert caught.value.code == "none_left"
    assert lifecycle.submit_assignment(assignment.mturk_id, [("colour", "red")]).submitted_at


def test_a_block_is_one_requesters(market: Market, make_market: Callable[[str], Market]) -> None:
    worker, other = market.worker(), make_market("Newsroom")
    market.mturk.create_worker_block(WorkerId=worker.mturk_id, Reason="spam")

    assert other.accept(other.create_hit(), worker)
    assert other.mturk.list_worker_blocks()["WorkerBlocks"] == []
    other.mturk.delete_worker_block(WorkerId=worker.mturk_id)
    assert WorkerBlock.objects.count() == 1


def test_an_unblocked_worker_works_again(market: Market) -> None:
    worker, hit = market.worker(), market.create_hit()
    market.mturk.create_worker_block(WorkerId=worker.mturk_id, Reason="spam")

    market.mturk.delete_worker_block(WorkerId=worker.mturk_id, Reason="a misunderstanding")

    assert market.accept(hit, worker)


def test_blocking_again_replaces_the_reason_and_unblocking_twice_is_no_error(market: Market) -> None:
    for reason in ("spam", "copied answers"):
        market.mturk.create_worker_block(WorkerId="AWHOEVER", Reason=reason)

    assert market.mturk.list_worker_blocks()["WorkerBlocks"] == [
        {"WorkerId": "AWHOEVER", "Reason": "copied answers"}
    ]
    for _ in range(2):
        market.mturk.delete_worker_block(WorkerId="AWHOEVER")
    assert market.mturk.list_worker_blocks()["NumResults"] == 0


def test_blocks_are_listed_page_by_page_and_once_each(market: Market) -> None:
    ids = [f"AWORKER{number}" for number in range(5)]
    for worker_id in ids:
        market.mturk.create_worker_block(WorkerId=worker_id, Reason="spam")

    pages = market.mturk.get_paginator("list_worker_blocks").paginate(MaxResults=2)

    assert [block["WorkerId"] for page in pages for block in page["WorkerBlocks"]] == ids


@pytest.mark.parametrize("operation", ["create_worker_block", "delete_worker_block"])
@pytest.mark.parametrize(
    ("members", "name"), [({"WorkerId": "wanda"}, "WorkerId"), ({"Reason": "x" * 2001}, "Reason")]
)
def test_a_bad_member_is_named(market: Market, operation: str, members: dict[str, str], name: str) -> None:
    with refused() as refusal:
        getattr(market.mturk, operation)(**{"WorkerId": "AWHOEVER", "Reason": "spam"} | members)

    assert refusal.kind == "ParameterValidationError"
    assert refusal.message.endswith(f"is not valid for the parameter {name}.")


def test_there_is_a_most_that_can_be_blocked(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MAX_BLOCKS", 1)
    market.mturk.create_worker_block(WorkerId="AFIRST", Reason="spam")

    market.mturk.create_worker_block(WorkerId="AFIRST", Reason="again")
    with refused() as refusal:
        market.mturk.create_worker_block(WorkerId="ASECOND", Reason="spam")
    assert refusal.kind == "ParameterValidationError"

"""Leases: who may send a row, how many are on their way at once, and what a dead sender leaves behind."""

from datetime import timedelta

import pytest

from mturkhub.common import clock
from mturkhub.intentions.claiming import (
    GROUP,
    LATEST_START,
    LEASE,
    Outcome,
    claim,
    clear_stale,
    give_back,
    mark_sending,
    record_outcomes,
    renew,
)
from mturkhub.intentions.models import IntentionState
from projects.models import HIT
from tests.factories import HITFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows() -> list[HIT]:
    return [HITFactory() for _ in range(3)]


def states() -> list[str]:
    return list(HIT.objects.order_by("pk").values_list("publish_state", flat=True))


def let_leases_run_out() -> None:
    HIT.objects.filter(lease_until__isnull=False).update(lease_until=clock.real_now() - timedelta(seconds=1))


def test_a_claim_leaves_rows_queued_and_keeps_others_off(rows: list[HIT]) -> None:
    held = claim(HIT.objects.all(), limit=2)

    assert [row.pk for row in held.rows] == [rows[0].pk, rows[1].pk]
    assert states() == ["queued"] * 3
    assert [row.pk for row in claim(HIT.objects.all(), limit=9).rows] == [rows[2].pk]


def test_only_rows_that_are_due_are_claimed(rows: list[HIT]) -> None:
    HIT.objects.filter(pk=rows[0].pk).update(due_at=clock.now() + timedelta(minutes=1))

    assert len(claim(HIT.objects.all(), limit=9).rows) == 2


def test_what_is_given_back_can_be_claimed_at_once(rows: list[HIT]) -> None:
    held = claim(HIT.objects.all(), limit=3)
    give_back(held, held.rows[1:])

    assert len(claim(HIT.objects.all(), limit=9).rows) == 2


def test_no_more_than_fifty_rows_are_on_their_way_at_once() -> None:
    assert GROUP <= 50


def test_the_first_sending_is_remembered_and_each_is_counted(rows: list[HIT]) -> None:
    held = claim(HIT.objects.all(), limit=1)
    [row] = mark_sending(held, held.rows)
    row.refresh_from_db()
    first = row.first_sent_at
    record_outcomes(HIT, [Outcome(row.pk, IntentionState.QUEUED)], only=[IntentionState.SENDING])

    again = claim(HIT.objects.filter(pk=row.pk), limit=1)
    mark_sending(again, again.rows)

    row.refresh_from_db()
    assert (row.publish_state, row.attempts, row.first_sent_at) == ("sending", 2, first)
    assert row.last_sent_at is not None
    assert first is not None
    assert row.last_sent_at > first


def test_a_sender_whose_lease_was_taken_over_sends_nothing(rows: list[HIT]) -> None:
    slow = claim(HIT.objects.all(), limit=3)
    let_leases_run_out()
    quick = claim(HIT.objects.all(), limit=3)

    assert mark_sending(slow, slow.rows) == []
    assert len(mark_sending(quick, quick.rows)) == 3


def test_a_renewed_lease_holds_what_waits_for_its_turn(rows: list[HIT]) -> None:
    held = claim(HIT.objects.all(), limit=3)
    before = held.lease_until
    renew(held, held.rows)

    assert before is not None
    assert held.lease_until is not None
    assert held.lease_until > before
    assert len(mark_sending(held, held.rows)) == 3


def test_no_call_begins_that_could_outlive_its_lease(rows: list[HIT]) -> None:
    held = claim(HIT.objects.all(), limit=3)
    assert held.may_start

    held.ends -= LATEST_START + 0.1

    assert not held.may_start
    # 5 s to connect and 30 s to read still fit.
    assert LEASE.total_seconds() - LATEST_START >= 35


def test_a_dead_senders_queued_rows_are_free_and_those_it_was_sending_unknown(rows: list[HIT]) -> None:
    held = claim(HIT.objects.all(), limit=3)
    mark_sending(held, held.rows[:1])
    assert clear_stale(HIT) == 0, "its lease has not run out"
    let_leases_run_out()

    assert clear_stale(HIT) == 1

    assert states() == ["unknown", "queued", "queued"]
    assert not HIT.objects.filter(lease_until__isnull=False).exists()


def test_an_outcome_is_written_only_over_the_states_it_is_meant_for(rows: list[HIT]) -> None:
    outcomes = [Outcome(row.pk, IntentionState.FAILED, "no") for row in rows]
    HIT.objects.filter(pk=rows[0].pk).update(publish_state="sending")

    assert record_outcomes(HIT, outcomes, only=[IntentionState.SENDING]) == [rows[0].pk]

    assert states() == ["failed", "queued", "queued"]

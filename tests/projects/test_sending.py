"""A decision reaches MTurk once, after its grace time, and comes back from every unknown outcome."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.intentions.claiming import clear_stale
from mturkhub.intentions.settling import settle_connection
from projects.actions.reviews import (
    approve_assignment,
    leave_out,
    reject_assignment,
    take_back_in,
    undo_decision,
)
from projects.models import Assignment, Decision
from tests.conftest import Person
from tests.fakes.mturk import lost_answer, refusal, throttled, unreachable
from tests.projects.live import Live

pytestmark = pytest.mark.django_db
Act = Callable[..., Decision]


def approve(assignment: Assignment, by: Person) -> Decision:
    return approve_assignment(assignment, by=by.actor)


def reject(assignment: Assignment, by: Person) -> Decision:
    return reject_assignment(assignment, by=by.actor, feedback="It is empty.")


def be_due() -> None:
    Decision.objects.filter(state="queued").update(due_at=clock.now())


def remote_status(live: Live) -> str:
    [assignment] = live.market.assignments.values()
    return assignment.status


# The click ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("act", "wanted"), [(approve, "Approved"), (reject, "Rejected")])
def test_a_decision_waits_for_its_grace_time_and_is_sent_once(
    live: Live, ravi: Person, act: Act, wanted: str
) -> None:
    answer = live.collect_one()
    decision = act(answer, ravi)

    live.send()
    assert remote_status(live) == "Submitted", "sent before the grace time was over"
    clock.advance(timedelta(seconds=11))
    live.send()
    live.send()

    decision.refresh_from_db()
    answer.refresh_from_db()
    assert (decision.state, answer.status, answer.pending_verdict) == ("done", wanted, "")
    assert remote_status(live) == wanted
    assert live.market.calls["ApproveAssignment"] + live.market.calls["RejectAssignment"] == 1
    live.batch.refresh_from_db()
    assert (live.batch.answers_approved, live.batch.answers_rejected) == (
        int(wanted == "Approved"),
        int(wanted == "Rejected"),
    )


def test_the_worker_reads_the_reviewers_words(live: Live, ravi: Person, no_grace: None) -> None:
    answer = live.collect_one()
    reject_assignment(answer, by=ravi.actor, feedback="  Nothing was written.  ")
    live.send()

    [assignment] = live.market.assignments.values()
    assert assignment.feedback == "Nothing was written."


def test_undo_takes_a_decision_back_as_long_as_nothing_was_sent(live: Live, ravi: Person) -> None:
    answer = live.collect_one()
    approve(answer, ravi)

    undo_decision(answer, by=ravi.actor)
    clock.advance(timedelta(minutes=1))
    live.send()

    assert remote_status(live) == "Submitted"
    assert Decision.objects.get().state == "cancelled"
    reject(answer, ravi)
    be_due()
    live.send()
    assert remote_status(live) == "Rejected"


def test_once_mturk_may_have_heard_of_it_undo_is_refused(live: Live, ravi: Person, no_grace: None) -> None:
    answer = live.collect_one()
    approve(answer, ravi)
    live.market.fail("ApproveAssignment", lost_answer)
    live.send()

    with pytest.raises(ActionRefused, match="MTurk has been told already"):
        undo_decision(answer, by=ravi.actor)


@pytest.mark.parametrize("feedback", ["", "   \n"])
def test_a_rejection_without_a_reason_is_refused(live: Live, ravi: Person, feedback: str) -> None:
    answer = live.collect_one()

    with pytest.raises(ActionRefused, match="A rejection needs a reason"):
        reject_assignment(answer, by=ravi.actor, feedback=feedback)

    assert not Decision.objects.exists()


def test_a_reason_longer_than_mturk_takes_is_refused_with_the_number(live: Live, ravi: Person) -> None:
    answer = live.collect_one()

    with pytest.raises(ActionRefused, match=r"1,030 characters; MTurk takes 1,024\. Shorten it by 6"):
        reject_assignment(answer, by=ravi.actor, feedback="x" * 1030)


def test_what_is_decided_or_being_decided_cannot_be_decided_again(
    live: Live, ravi: Person, no_grace: None
) -> None:
    answer = live.collect_one()
    approve(answer, ravi)
    with pytest.raises(ActionRefused, match="just being approved"):
        reject(answer, ravi)

    live.send()

    with pytest.raises(ActionRefused, match="Approved already"):
        reject(answer, ravi)
    assert Decision.objects.count() == 1


def test_the_database_itself_allows_one_open_decision_an_answer(live: Live, ravi: Person) -> None:
    answer = live.collect_one()
    decision = approve(answer, ravi)
    decision.pk = None

    with pytest.raises(IntegrityError), transaction.atomic():
        decision.save()


@pytest.mark.parametrize("who", ["vera", "stan"])
def test_who_may_not_decide_changes_nothing(live: Live, who: str, request: pytest.FixtureRequest) -> None:
    answer = live.collect_one()
    person = request.getfixturevalue(who)

    for act in (approve, reject):
        with pytest.raises(ActionRefused) as refused:
            act(answer, person)
        assert refused.value.status == 403
    with pytest.raises(ActionRefused):
        leave_out(answer, by=person.actor)
    assert not Decision.objects.exists()
    answer.refresh_from_db()
    assert answer.left_out_at is None


def test_leaving_out_is_about_data_and_reversible_and_does_not_touch_pay(live: Live, ravi: Person) -> None:
    answer = live.collect_one()

    leave_out(answer, by=ravi.actor, reason="a bot")
    answer.refresh_from_db()
    assert (answer.left_out_by, answer.left_out_reason, answer.status) == (ravi.user, "a bot", "Submitted")
    assert not Assignment.objects.kept().exists()

    take_back_in(answer, by=ravi.actor)
    assert Assignment.objects.kept().count() == 1
    assert remote_status(live) == "Submitted"


# Unknown outcomes --------------------------------------------------------------------------------


@pytest.mark.parametrize("happens", [True, False])
@pytest.mark.parametrize(("act", "wanted"), [(approve, "Approved"), (reject, "Rejected")])
def test_after_a_lost_answer_mturk_is_asked_before_anything_is_sent_again(
    live: Live, ravi: Person, no_grace: None, act: Act, wanted: str, happens: bool
) -> None:
    answer = live.collect_one()
    decision = act(answer, ravi)
    operation = {"Approved": "ApproveAssignment", "Rejected": "RejectAssignment"}[wanted]
    live.market.fail(operation, lost_answer, happens=happens)
    live.send()
    decision.refresh_from_db()
    assert decision.state == "unknown"
    live.send()
    assert live.market.calls["GetAssignment"] == 0

    settle_connection(live.connection, live.market)
    be_due()
    live.send()

    decision.refresh_from_db()
    answer.refresh_from_db()
    assert (decision.state, answer.status) == ("done", wanted)
    assert remote_status(live) == wanted
    assert live.market.calls["GetAssignment"] == 1
    live.batch.refresh_from_db()
    assert live.batch.answers_submitted == 0


def test_decided_otherwise_meanwhile_is_overtaken_and_not_called_done(
    live: Live, ravi: Person, no_grace: None
) -> None:
    answer = live.collect_one()
    decision = reject(answer, ravi)
    live.market.approve_assignment(answer.mturk_id)

    live.send()

    decision.refresh_from_db()
    answer.refresh_from_db()
    assert (decision.state, answer.status, answer.pending_verdict) == ("overtaken", "Approved", "")
    assert "Approved" in decision.outcome


def test_decided_as_wanted_meanwhile_is_done(live: Live, ravi: Person, no_grace: None) -> None:
    answer = live.collect_one()
    decision = approve(answer, ravi)
    live.market.approve_assignment(answer.mturk_id)

    live.send()

    decision.refresh_from_db()
    assert decision.state == "done"
    assert live.market.paid == Decimal("0.06")


@pytest.mark.parametrize("error", [throttled, unreachable])
def test_a_call_that_did_not_happen_waits_and_is_sent_again(
    live: Live, ravi: Person, no_grace: None, error: Callable[[str], Any]
) -> None:
    answer = live.collect_one()
    decision = approve(answer, ravi)
    live.market.fail("ApproveAssignment", error)
    live.send()
    decision.refresh_from_db()
    assert decision.state == "queued"
    assert decision.due_at > clock.now()

    be_due()
    live.send()

    decision.refresh_from_db()
    assert decision.state == "done"


def test_mturks_own_no_fails_the_decision_in_words_and_the_answer_waits_again(
    live: Live, ravi: Person, no_grace: None
) -> None:
    answer = live.collect_one()
    decision = approve(answer, ravi)
    live.market.fail(
        "ApproveAssignment", lambda operation: refusal(operation, "InsufficientFunds", "No funds left.")
    )

    live.send()

    decision.refresh_from_db()
    answer.refresh_from_db()
    assert decision.state == "failed"
    assert "No funds left." in decision.outcome
    assert (answer.status, answer.pending_verdict) == ("Submitted", "")


def test_a_sender_that_died_leaves_an_unknown_decision_that_is_looked_up(
    live: Live, ravi: Person, no_grace: None
) -> None:
    answer = live.collect_one()
    decision = approve(answer, ravi)
    # It had reached MTurk; the process was gone before the answer came.
    live.market.approve_assignment(answer.mturk_id)
    Decision.objects.update(
        state="sending",
        first_sent_at=clock.now(),
        last_sent_at=clock.now(),
        lease_until=clock.real_now() - timedelta(seconds=1),
    )

    assert clear_stale(Decision) == 1
    settle_connection(live.connection, live.market)

    decision.refresh_from_db()
    assert decision.state == "done"
    assert live.market.calls["ApproveAssignment"] == 1


def test_a_lost_look_leaves_it_unknown(live: Live, ravi: Person, no_grace: None) -> None:
    answer = live.collect_one()
    decision = approve(answer, ravi)
    live.market.fail("ApproveAssignment", lost_answer)
    live.send()
    live.market.fail("GetAssignment", lost_answer)

    assert settle_connection(live.connection, live.market) == 0

    decision.refresh_from_db()
    assert decision.state == "unknown"

"""A rejection is overturned once, until 30 days after the answer came, and only while its HIT exists."""

from datetime import timedelta
from decimal import Decimal

import pytest

from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.intentions.settling import settle_connection
from projects.actions.reviews import overturn_rejection, reject_assignment, undo_decision
from projects.models import HIT, Assignment, Decision
from tests.conftest import Person
from tests.fakes.mturk import lost_answer
from tests.projects.live import Live
from tests.projects.pages import get, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_grace")]


@pytest.fixture
def rejected(live: Live, ravi: Person, no_grace: None) -> Assignment:
    answer = live.collect_one()
    reject_assignment(answer, by=ravi.actor, feedback="Empty.")
    live.send()
    answer.refresh_from_db()
    return answer


def overturn(answer: Assignment, by: Person, feedback: str = "") -> Decision:
    return overturn_rejection(answer, by=by.actor, feedback=feedback)


def statuses(live: Live, answer: Assignment, decision: Decision) -> tuple[str, str, str]:
    """Of the decision, here, and at MTurk."""
    answer.refresh_from_db()
    decision.refresh_from_db()
    return decision.state, answer.status, live.market.assignments[answer.mturk_id].status


def be_due() -> None:
    Decision.objects.filter(state="queued").update(due_at=clock.now())


def test_it_is_paid_once_and_causes_no_fetch(live: Live, ravi: Person, rejected: Assignment) -> None:
    live.collect()
    fetches = live.fetches()
    decision = overturn(rejected, ravi)

    live.send()
    live.send()
    live.collect()

    assert statuses(live, rejected, decision) == ("done", "Approved", "Approved")
    assert rejected.feedback == "Empty."
    assert live.market.paid == Decimal("0.06")
    assert live.fetches() == fetches
    live.batch.refresh_from_db()
    assert (live.batch.answers_approved, live.batch.answers_rejected) == (1, 0)


@pytest.mark.parametrize("happens", [True, False])
def test_after_a_lost_answer_mturk_is_asked_first(
    live: Live, ravi: Person, rejected: Assignment, happens: bool
) -> None:
    decision = overturn(rejected, ravi)
    live.market.fail("ApproveAssignment", lost_answer, happens=happens)
    live.send()
    settle_connection(live.connection, live.market)
    be_due()
    live.send()

    assert statuses(live, rejected, decision) == ("done", "Approved", "Approved")
    assert live.market.calls["ApproveAssignment"] == (1 if happens else 2)


def test_overturned_elsewhere_is_done_without_a_call(live: Live, ravi: Person, rejected: Assignment) -> None:
    decision = overturn(rejected, ravi)
    live.market.approve_assignment(rejected.mturk_id, override_rejection=True)

    live.send()

    assert statuses(live, rejected, decision) == ("done", "Approved", "Approved")
    assert live.market.calls["ApproveAssignment"] == 1


def test_a_sweep_that_brings_the_rejection_again_does_not_stand_against_it(
    live: Live, ravi: Person, rejected: Assignment
) -> None:
    decision = overturn(rejected, ravi)
    HIT.objects.update(fetch_wanted_at=clock.now())
    Assignment.objects.update(rejected_at=clock.now() - timedelta(minutes=9))

    live.collect()
    live.send()

    assert statuses(live, rejected, decision) == ("done", "Approved", "Approved")


def test_what_mturk_does_not_allow_any_more_fails_in_words(
    live: Live, ravi: Person, rejected: Assignment
) -> None:
    decision = overturn(rejected, ravi)
    live.market.hits[live.hit_id()].disposed_at = live.market.now

    live.send()

    assert statuses(live, rejected, decision) == ("failed", "Rejected", "Rejected")
    assert "MTurk does not let this rejection be overturned any more" in decision.outcome
    assert rejected.pending_verdict == ""
    page = words(get(ravi, "review_batch", live.batch, query=f"?show=all&answer={rejected.public_id}"))
    assert "The last decision was refused. MTurk does not let this rejection be overturned" in page


def test_after_thirty_days_or_deletion_it_is_refused_here(
    live: Live, ravi: Person, rejected: Assignment
) -> None:
    HIT.objects.update(hit_status="Disposed")
    with pytest.raises(ActionRefused, match="The HIT is no longer at MTurk"):
        overturn(rejected, ravi)
    HIT.objects.update(hit_status="Reviewable")
    live.later(days=31)
    with pytest.raises(ActionRefused, match="30 days after the answer came"):
        overturn(rejected, ravi)

    assert Decision.objects.count() == 1


def test_what_is_not_rejected_is_not_overturned(live: Live, ravi: Person) -> None:
    with pytest.raises(ActionRefused, match="is Submitted, not Rejected"):
        overturn(live.collect_one(), ravi)


def test_a_balance_that_does_not_cover_it_is_refused(live: Live, ravi: Person, rejected: Assignment) -> None:
    live.connection.balance = Decimal("0.05")
    live.connection.save()

    with pytest.raises(ActionRefused, match=r"This costs \$0\.06"):
        overturn(rejected, ravi)


def test_it_is_taken_back_before_mturk_is_told(live: Live, ravi: Person, rejected: Assignment) -> None:
    decision = overturn(rejected, ravi)

    undo_decision(rejected, by=ravi.actor)
    live.send()

    assert statuses(live, rejected, decision) == ("cancelled", "Rejected", "Rejected")


def test_the_review_page_offers_it(live: Live, ravi: Person, rejected: Assignment) -> None:
    page = words(get(ravi, "review_batch", live.batch, query=f"?show=all&answer={rejected.public_id}"))

    assert "Overturn, pay $0.06" in page


def test_who_may_not_approve_may_not_overturn(rejected: Assignment, vera: Person) -> None:
    with pytest.raises(ActionRefused, match="Viewers may not approve answers"):
        overturn(rejected, vera)

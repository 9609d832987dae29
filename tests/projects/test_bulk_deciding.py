"""Thousands of decisions with one click: exactly those that were shown, however long it takes."""

from decimal import Decimal

import pytest
from django.db.models import QuerySet

from mturkhub.accounts.models import Membership
from mturkhub.common.errors import ActionRefused
from mturkhub.intentions.models import Job, JobItem
from projects import bulk_deciding
from projects.actions.reviews import approve_assignment, decide_many, plan_decisions
from projects.models import Assignment, Decision
from projects.states import Verdict
from tests.conftest import Person
from tests.projects.live import Live

pytestmark = pytest.mark.django_db


@pytest.fixture
def answered(live: Live) -> Live:
    """Six answers: three Workers on each of two rows."""
    for row in (1, 2):
        live.submit(["A1", "A2", "A3"], row=row)
    live.collect()
    return live


def all_of(live: Live) -> QuerySet[Assignment]:
    return Assignment.objects.filter(batch=live.batch)


def run(job: Job) -> Job:
    while bulk_deciding.run_chunk(job):
        pass
    job.refresh_from_db()
    return job


def test_the_dry_run_says_how_many_for_how_much_and_what_is_passed_over(answered: Live, ravi: Person) -> None:
    answers = answered.answers
    answered.market.approve_assignment(answers[0].mturk_id)
    answered.collect()
    approve_assignment(answers[1], by=ravi.actor)

    plan = plan_decisions(answered.batch, all_of(answered), by=ravi.actor, verdict=Verdict.APPROVE)

    assert (plan.count, plan.workers, plan.price) == (4, 3, Decimal("0.24"))
    assert plan.skipped == {"decided already": 1, "being decided right now": 1}
    assert Decision.objects.count() == 1, "a dry run decides nothing"


def test_exactly_the_chosen_answers_are_decided_and_later_ones_wait(
    answered: Live, ravi: Person, no_grace: None
) -> None:
    chosen = all_of(answered).filter(row__number=1)
    job = decide_many(answered.batch, chosen, by=ravi.actor, verdict=Verdict.APPROVE)
    assert (job.total, Decision.objects.count()) == (3, 0)

    run(job)
    answered.send()

    assert (job.state, job.done, job.outcome) == ("done", 3, "3 decided.")
    by_row = Assignment.objects.order_by("row__number").values_list("row__number", "status")
    assert set(by_row) == {(1, "Approved"), (2, "Submitted")}


def test_what_was_decided_meanwhile_is_reported_and_left_alone(answered: Live, ravi: Person) -> None:
    job = decide_many(
        answered.batch, all_of(answered), by=ravi.actor, verdict=Verdict.REJECT, feedback="Empty."
    )
    approve_assignment(answered.answers[0], by=ravi.actor)

    run(job)

    assert job.outcome == "5 decided, 1 passed over because they were decided meanwhile."
    assert JobItem.objects.filter(outcome=bulk_deciding.PASSED_OVER).count() == 1
    verdicts = Decision.objects.values_list("verdict", flat=True)
    assert sorted(verdicts) == ["approve"] + ["reject"] * 5


def test_a_job_may_be_cut_off_and_run_twice(
    answered: Live, ravi: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_deciding, "CHUNK", 4)
    job = decide_many(answered.batch, all_of(answered), by=ravi.actor, verdict=Verdict.APPROVE)

    assert bulk_deciding.run_chunk(job) is True
    assert Decision.objects.count() == 4
    run(job)
    run(job)

    assert Decision.objects.count() == 6
    assert job.state == "done"


def test_who_has_lost_the_right_stops_the_job(
    answered: Live, ravi: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_deciding, "CHUNK", 4)
    job = decide_many(answered.batch, all_of(answered), by=ravi.actor, verdict=Verdict.APPROVE)
    bulk_deciding.run_chunk(job)
    Membership.objects.filter(pk=ravi.membership.pk).update(role="viewer")

    run(job)

    assert (job.state, Decision.objects.count()) == ("stopped", 4)
    assert "may no longer decide" in job.outcome


@pytest.mark.parametrize(
    ("verdict", "feedback", "sentence"),
    [
        (Verdict.REJECT, "", "A rejection needs a reason"),
        (Verdict.APPROVE, "x" * 1025, "Shorten it by 1"),
    ],
)
def test_a_job_that_could_not_be_sent_is_refused_whole(
    answered: Live, ravi: Person, verdict: Verdict, feedback: str, sentence: str
) -> None:
    with pytest.raises(ActionRefused, match=sentence):
        decide_many(answered.batch, all_of(answered), by=ravi.actor, verdict=verdict, feedback=feedback)

    assert not Job.objects.exists()


def test_nothing_to_decide_is_said_and_makes_no_job(live: Live, ravi: Person) -> None:
    with pytest.raises(ActionRefused, match="None of these answers waits"):
        decide_many(live.batch, all_of(live), by=ravi.actor, verdict=Verdict.APPROVE)

    assert not Job.objects.exists()


def test_answers_of_another_batch_are_never_chosen(answered: Live, ravi: Person) -> None:
    from tests.factories import AssignmentFactory

    foreign = AssignmentFactory()
    everything = Assignment.objects.all()

    job = decide_many(answered.batch, everything, by=ravi.actor, verdict=Verdict.APPROVE)

    assert job.total == 6
    assert not job.items.filter(target_id=foreign.pk).exists()


def test_a_viewer_may_not_even_see_the_plan(answered: Live, vera: Person) -> None:
    for act in (plan_decisions, decide_many):
        with pytest.raises(ActionRefused) as refused:
            act(answered.batch, all_of(answered), by=vera.actor, verdict=Verdict.APPROVE)
        assert refused.value.status == 403

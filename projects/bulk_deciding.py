"""Bulk decisions: a Job's chosen Assignments become Decisions, a chunk at a time.

What was decided meanwhile is passed over and said so on its JobItem. A person who has lost the right stops the Job.
"""

from django.db import transaction

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Membership
from mturkhub.accounts.permissions import Permission, can
from mturkhub.common import clock
from mturkhub.common.many_rows import update_many
from mturkhub.intentions.models import Job, JobState
from projects.models import Assignment, Decision
from projects.states import AssignmentStatus, Verdict

CHUNK = 1000
DONE = "done"
PASSED_OVER = "Decided meanwhile; not touched."


def run_chunk(job: Job) -> bool:
    """Decide the Job's next items in one transaction; returns whether there are more."""
    with transaction.atomic():
        # One runner at a time; a second one finds nothing to lock and leaves.
        locked = Job.objects.select_for_update(skip_locked=True, of=("self",)).select_related("team")
        running = locked.filter(pk=job.pk, state=JobState.RUNNING).first()
        if running is None:
            return False
        verdict = Verdict(running.arguments["verdict"])
        if not _still_may(running, verdict):
            end_job(running, JobState.STOPPED, f"Stopped: {running.by} may no longer decide in this team.")
            return False
        items = list(running.items.filter(outcome="").order_by("pk")[:CHUNK])
        decided = _decide(running, verdict, [item.target_id for item in items])
        for item in items:
            item.outcome = DONE if item.target_id in decided else PASSED_OVER
        update_many(items, ["outcome"])
        running.done += len(items)
        running.save(update_fields=["done"])
        if len(items) < CHUNK:
            end_job(running, JobState.DONE, _summary(running))
            return False
    return True


def _still_may(job: Job, verdict: Verdict) -> bool:
    membership = (
        Membership.objects.filter(team_id=job.team_id, user_id=job.by_id).select_related("user").first()
    )
    permission = Permission.ASSIGNMENT_APPROVE if verdict == Verdict.APPROVE else Permission.ASSIGNMENT_REJECT
    return membership is not None and can(Actor.person(membership), permission, job.team_id)


def _decide(job: Job, verdict: Verdict, keys: list[int]) -> set[int]:
    """Make a Decision for each of these Assignments that still waits; returns their keys."""
    waiting = list(
        Assignment.objects.select_for_update(no_key=True)
        .filter(pk__in=keys, status=AssignmentStatus.SUBMITTED, pending_verdict="")
        .order_by("pk")
    )
    due_at = clock.now() + job.team.grace_time
    Decision.objects.bulk_create(
        [
            Decision(
                team_id=assignment.team_id,
                connection_id=assignment.connection_id,
                assignment=assignment,
                verdict=verdict,
                feedback=job.arguments["feedback"],
                due_at=due_at,
                by_id=job.by_id,
                job=job,
            )
            for assignment in waiting
        ]
    )
    decided = {assignment.pk for assignment in waiting}
    Assignment.objects.filter(pk__in=decided).update(pending_verdict=verdict)
    return decided


def _summary(job: Job) -> str:
    passed_over = job.items.filter(outcome=PASSED_OVER).count()
    text = f"{job.done - passed_over:,} decided"
    return (
        f"{text}, {passed_over:,} passed over because they were decided meanwhile."
        if passed_over
        else f"{text}."
    )


def end_job(job: Job, state: JobState, outcome: str) -> None:
    """Nothing more is done of it; the outcome is a sentence."""
    job.state, job.outcome, job.finished_at = state, outcome, clock.now()
    job.save(update_fields=["state", "outcome", "finished_at"])

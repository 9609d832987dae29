"""What a reviewer can ask for: approve, reject, undo, leave out; one answer at a time or many."""

from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import EmptyResultSet
from django.db import connection as database
from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules.connections import balance_seen
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.intentions.claiming import ring
from mturkhub.intentions.models import IntentionState, Job
from projects import budgets, rules, tasks
from projects.counting import recount
from projects.models import HIT, Assignment, Batch, Decision
from projects.states import AssignmentStatus, Verdict

PERMISSIONS = {
    Verdict.APPROVE: Permission.ASSIGNMENT_APPROVE,
    Verdict.REJECT: Permission.ASSIGNMENT_REJECT,
}
# The `kind` of a Job, which `bulk_deciding` reads.
DECIDE_MANY = "decide_many"


def approve_assignment(assignment: Assignment, *, by: Actor, feedback: str = "") -> Decision:
    """Approve an Assignment; MTurk is told when the team's grace time is over."""
    return _decide(assignment, Verdict.APPROVE, by=by, feedback=feedback)


def reject_assignment(assignment: Assignment, *, by: Actor, feedback: str) -> Decision:
    """Reject an Assignment with the words its Worker will read; told after the grace time as well."""
    return _decide(assignment, Verdict.REJECT, by=by, feedback=feedback)


def _decide(assignment: Assignment, verdict: Verdict, *, by: Actor, feedback: str) -> Decision:
    check_can(by, PERMISSIONS[verdict], assignment.team_id)
    rules.check_feedback(verdict, feedback)
    with transaction.atomic():
        assignment = _locked(assignment)
        rules.check_can_decide(assignment)
        decision = Decision.objects.create(
            team_id=assignment.team_id,
            connection_id=assignment.connection_id,
            assignment=assignment,
            verdict=verdict,
            feedback=feedback.strip(),
            due_at=clock.now() + assignment.team.grace_time,
            by=by.user,
            by_rule=by.rule,
        )
        assignment.pending_verdict = verdict
        assignment.save(update_fields=["pending_verdict"])
        verb = "assignment.approved" if verdict == Verdict.APPROVE else "assignment.rejected"
        record(by, verb, assignment, team_id=assignment.team_id, batch=assignment.batch_id)
        ring(tasks.send_due_decisions, assignment.connection_id, at=decision.due_at)
    return decision


def overturn_rejection(assignment: Assignment, *, by: Actor, feedback: str = "") -> Decision:
    """Approve an Assignment that was rejected; MTurk is told after the grace time, and the reward is paid anew."""
    check_can(by, Permission.ASSIGNMENT_APPROVE, assignment.team_id)
    rules.check_feedback(Verdict.APPROVE, feedback)
    with transaction.atomic():
        assignment = _locked(assignment)
        now = clock.now()
        rules.check_can_overturn(assignment, now=now)
        connection, price = assignment.batch.connection, assignment.hit.price_each
        rules.check_balance_covers(
            connection.balance, price, seen=balance_seen(connection, assignment.team_id)
        )
        decision = Decision.objects.create(
            team_id=assignment.team_id,
            connection_id=assignment.connection_id,
            assignment=assignment,
            verdict=Verdict.APPROVE,
            is_overturn=True,
            feedback=feedback.strip(),
            due_at=now + assignment.team.grace_time,
            by=by.user,
            by_rule=by.rule,
        )
        assignment.pending_verdict = Verdict.APPROVE
        assignment.save(update_fields=["pending_verdict"])
        month = assignment.hit.reserved_on or budgets.month_of(assignment.team, now)
        budgets.count_from_now(HIT.objects.filter(pk=assignment.hit_id), month)
        recount([assignment.row_id])
        budgets.check_room(assignment.batch, price, months=[month])
        record(by, "assignment.overturned", assignment, team_id=assignment.team_id, batch=assignment.batch_id)
        ring(tasks.send_due_decisions, assignment.connection_id, at=decision.due_at)
    return decision


def undo_decision(assignment: Assignment, *, by: Actor) -> Decision:
    """Take back a decision that MTurk has not been told yet."""
    check_can(by, Permission.ASSIGNMENT_APPROVE, assignment.team_id)
    with transaction.atomic():
        assignment = _locked(assignment)
        decision = Decision.objects.open().select_for_update().filter(assignment=assignment).first()
        if decision is None or not _can_be_taken_back(decision):
            raise ActionRefused("MTurk has been told already, so this cannot be undone here.")
        decision.state = IntentionState.CANCELLED
        decision.outcome = f"Taken back by {by}."
        decision.lease_until = None
        decision.save(update_fields=["state", "outcome", "lease_until"])
        assignment.pending_verdict = ""
        assignment.save(update_fields=["pending_verdict"])
        if decision.is_overturn:
            recount([assignment.row_id], by=by)
        record(by, "assignment.undone", assignment, team_id=assignment.team_id, batch=assignment.batch_id)
    return decision


def _can_be_taken_back(decision: Decision) -> bool:
    """Not on its way, and not perhaps heard of already; a claim alone does no harm, for it is marked before sent."""
    return decision.state == IntentionState.QUEUED and decision.first_sent_at is None


def leave_out(assignment: Assignment, *, by: Actor, reason: str = "") -> Assignment:
    """Keep the answer out of the data; what the Worker is paid is another question."""
    check_can(by, Permission.ASSIGNMENT_LEAVE_OUT, assignment.team_id)
    with transaction.atomic():
        assignment = _locked(assignment)
        assignment.left_out_at, assignment.left_out_by = clock.now(), by.user
        assignment.left_out_reason = reason
        assignment.save(update_fields=["left_out_at", "left_out_by", "left_out_reason"])
        record(by, "assignment.left_out", assignment, team_id=assignment.team_id, batch=assignment.batch_id)
    return assignment


def take_back_in(assignment: Assignment, *, by: Actor) -> Assignment:
    """Count the answer again."""
    check_can(by, Permission.ASSIGNMENT_LEAVE_OUT, assignment.team_id)
    with transaction.atomic():
        assignment = _locked(assignment)
        assignment.left_out_at, assignment.left_out_by, assignment.left_out_reason = None, None, ""
        assignment.save(update_fields=["left_out_at", "left_out_by", "left_out_reason"])
        record(by, "assignment.taken_in", assignment, team_id=assignment.team_id, batch=assignment.batch_id)
    return assignment


def _locked(assignment: Assignment) -> Assignment:
    return (
        Assignment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("team", "batch__connection", "hit")
        .get(pk=assignment.pk)
    )


# Many at once -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DecisionPlan:
    """What deciding a selection would do: how many, at what price in dollars, and what would be skipped."""

    count: int
    workers: int
    price: Decimal
    # Reason → how many.
    skipped: dict[str, int]


def plan_decisions(
    batch: Batch, assignments: QuerySet[Assignment], *, by: Actor, verdict: Verdict
) -> DecisionPlan:
    """The dry run of `decide_many`: approving pays reward and fee of each, rejecting keeps them."""
    check_can(by, PERMISSIONS[verdict], batch.team_id)
    is_open = Q(status=AssignmentStatus.SUBMITTED)
    waits = is_open & Q(pending_verdict="")
    found = (
        assignments.filter(batch=batch)
        .order_by()
        .aggregate(
            waiting=Count("pk", filter=waits),
            # HITs of ten answers and more have a higher fee than others of the same batch.
            price=Coalesce(Sum("hit__price_each", filter=waits), Decimal("0.00")),
            workers=Count("worker", filter=waits, distinct=True),
            decided=Count("pk", filter=~is_open),
            being_decided=Count("pk", filter=is_open & ~Q(pending_verdict="")),
        )
    )
    skipped = {"decided already": found["decided"], "being decided right now": found["being_decided"]}
    return DecisionPlan(
        count=found["waiting"],
        workers=found["workers"],
        price=found["price"],
        skipped={reason: number for reason, number in skipped.items() if number},
    )


def decide_many(
    batch: Batch, assignments: QuerySet[Assignment], *, by: Actor, verdict: Verdict, feedback: str = ""
) -> Job:
    """Choose exactly the answers that wait in this selection, now; a Job decides them, later ones are untouched."""
    check_can(by, PERMISSIONS[verdict], batch.team_id)
    rules.check_is_at_market(batch)
    rules.check_feedback(verdict, feedback)
    if by.user is None:
        raise ActionRefused("Only a person decides many answers at once.", status=403)
    verb = "Approve" if verdict == Verdict.APPROVE else "Reject"
    with transaction.atomic():
        job = Job.objects.create(
            team_id=batch.team_id,
            kind=DECIDE_MANY,
            arguments={"verdict": verdict.value, "feedback": feedback.strip()},
            subject=str(batch.public_id),
            title=f"{verb} answers of {batch}"[:200],
            by=by.user,
        )
        job.total = _choose(job, _waiting(assignments.filter(batch=batch)))
        if not job.total:
            raise ActionRefused("None of these answers waits for a decision. Nothing was changed.")
        job.title = f"{verb} {job.total:,} answers of {batch}"[:200]
        job.save(update_fields=["total", "title"])
        record(by, "batch.decided", batch, team_id=batch.team_id, verdict=verdict.value, answers=job.total)
        ring(tasks.run_job, job.pk)
    return job


def _choose(job: Job, assignments: QuerySet[Assignment]) -> int:
    """Make each of these Assignments an item of the Job; returns how many."""
    try:
        sql, parameters = assignments.order_by("pk").values("pk").query.sql_with_params()
    except EmptyResultSet:
        # Django sees without asking that nothing can match, as for a Worker nobody knows.
        return 0
    with database.cursor() as cursor:
        cursor.execute(
            "insert into intentions_jobitem (job_id, target_id, outcome) "  # noqa: S608 - Django's own SQL
            f"select %s, chosen.id, '' from ({sql}) as chosen (id)",
            [job.pk, *parameters],
        )
        return int(cursor.rowcount)


def _waiting(assignments: QuerySet[Assignment]) -> QuerySet[Assignment]:
    return assignments.filter(status=AssignmentStatus.SUBMITTED, pending_verdict="")

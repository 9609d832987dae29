"""Where MTurk's record and ours have come apart, and by whose doing: each difference has a name that pages show.

Collecting notes them; nothing here calls MTurk. What was made elsewhere is a neighbour: `elsewhere.py`.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Count, Q

from mturkhub.common import clock
from mturkhub.gateway.records import RemoteHIT
from mturkhub.intentions.models import OPEN_STATES, IntentionState, Operation
from projects.models import HIT, Assignment, Batch, Decision
from projects.models.assignment import DecidedElsewhere
from projects.models.hit import ChangedElsewhere
from projects.states import AssignmentStatus, HITStatus, OperationKind, Verdict

# Two clocks, and MTurk's and ours, never agree to the second.
CLOCKS_DIFFER = timedelta(minutes=1)
# A change of ours that MTurk has confirmed may take so long until its lists show it.
SHOWN_AFTER = timedelta(minutes=2)
# What waits to be sent again may be carried out long after its caller gave up and MTurk knew nothing of it.
_WAS_SENT = Q(state__in=[IntentionState.SENDING, IntentionState.UNKNOWN, IntentionState.DONE]) | Q(
    state=IntentionState.QUEUED, attempts__gt=0
)
_VERDICTS = {
    AssignmentStatus.APPROVED.value: Verdict.APPROVE.value,
    AssignmentStatus.REJECTED.value: Verdict.REJECT.value,
}


# Answers ------------------------------------------------------------------------------------------


def name_deciders(assignments: Sequence[Assignment]) -> None:
    """Say of decided Assignments whether somebody elsewhere decided them, or MTurk itself; they are saved by the caller."""
    keys = [assignment.pk for assignment in assignments if assignment.pk]
    sent = Decision.objects.filter(_WAS_SENT, assignment__in=keys)
    ours = set(sent.values_list("assignment_id", "verdict")) if keys else set()
    for assignment in assignments:
        is_ours = (assignment.pk, _VERDICTS.get(assignment.status)) in ours
        assignment.decided_elsewhere = "" if is_ours else _decider(assignment)


def _decider(assignment: Assignment) -> str:
    if assignment.status == AssignmentStatus.SUBMITTED:
        return ""
    due = assignment.auto_approval_at
    if assignment.approved_at and due and assignment.approved_at >= due:
        return DecidedElsewhere.AUTO.value
    return DecidedElsewhere.ELSEWHERE.value


# HITs ---------------------------------------------------------------------------------------------


def name_changes(listed: Sequence[tuple[HIT, RemoteHIT]]) -> list[HIT]:
    """Say of HITs whose expiration is not the one we know who moved it; returns those that changed, to be saved."""
    moved = [
        (hit, remote)
        for hit, remote in listed
        if hit.expires_at is not None and abs(remote.expires_at - hit.expires_at) > CLOCKS_DIFFER
    ]
    ours = _changed_by_us([hit for hit, _ in moved])
    changed = []
    for hit, remote in moved:
        if hit.pk not in ours and hit.expires_at is not None:
            is_earlier = remote.expires_at < hit.expires_at
            hit.changed_elsewhere = (
                ChangedElsewhere.EXPIRED if is_earlier else ChangedElsewhere.REOPENED
            ).value
            changed.append(hit)
    return changed


def _changed_by_us(hits: Sequence[HIT]) -> set[int]:
    if not hits:
        return set()
    just_now = Q(state=IntentionState.DONE, last_sent_at__gte=clock.now() - SHOWN_AFTER)
    operations = Operation.objects.filter(
        Q(state__in=OPEN_STATES) | just_now,
        target_id__in=[hit.pk for hit in hits],
        kind__in=[OperationKind.EXPIRE, OperationKind.ADD_ANSWERS],
    )
    return set(operations.values_list("target_id", flat=True))


def name_deletion(hit: HIT) -> None:
    """Say of a HIT that MTurk has deleted whether somebody elsewhere did that; it is saved by the caller."""
    deleted = Operation.objects.filter(target_id=hit.pk, kind=OperationKind.DELETE)
    if hit.hit_status == HITStatus.DISPOSED and not deleted.filter(_WAS_SENT).exists():
        hit.changed_elsewhere = ChangedElsewhere.DELETED.value


# What a batch's page says -------------------------------------------------------------------------


def differences_of(batch: Batch) -> dict[str, int]:
    """Name of a difference → how many answers or HITs of the batch it is about; what does not occur is left out."""
    answers: dict[str, Any] = (
        Assignment.objects.decided_elsewhere()
        .filter(batch=batch)
        .aggregate(
            approved=Count("pk", filter=Q(status=AssignmentStatus.APPROVED, decided_elsewhere="elsewhere")),
            rejected=Count("pk", filter=Q(status=AssignmentStatus.REJECTED, decided_elsewhere="elsewhere")),
            auto_approved=Count("pk", filter=Q(decided_elsewhere="auto")),
        )
    )
    hits: dict[str, Any] = (
        HIT.objects.changed_elsewhere()
        .filter(batch=batch)
        .aggregate(
            missing=Count("pk", filter=Q(missing_since__isnull=False)),
            **{
                name: Count("pk", filter=Q(missing_since=None, changed_elsewhere=name))
                for name in ChangedElsewhere.values
            },
        )
    )
    return {name: number for name, number in {**answers, **hits}.items() if number}

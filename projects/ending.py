"""What a cancelled or closing batch still needs, a step at a time: its HITs expire, answers are settled, HITs are deleted.

Each step makes Operations and returns; beat comes again until nothing is left.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.common import clock
from mturkhub.intentions.claiming import IntentionT
from mturkhub.intentions.models import OPEN_STATES, IntentionState, Operation
from projects.models import HIT, Assignment, Batch, Bonus, Decision
from projects.operating import queue_operations
from projects.querysets import HITQuerySet
from projects.rules import OVERTURN_WINDOW
from projects.states import AssignmentStatus, BatchState, HITStatus, OperationKind

BY = Actor.system("ending a batch")
_UNSETTLED = [IntentionState.QUEUED.value, IntentionState.SENDING.value, IntentionState.UNKNOWN.value]


def end(batch: Batch) -> None:
    """Go one step; the batch has ended when nothing is left to be done at the market."""
    with transaction.atomic():
        batch = Batch.objects.select_for_update(no_key=True).get(pk=batch.pk)
        if batch.ended_at or batch.state not in {BatchState.CANCELLED, BatchState.CLOSING}:
            return
        expire_now(HIT.objects.filter(batch=batch), by=BY)
        waits_for = what_is_left(batch)
        if batch.state == BatchState.CLOSING and batch.deletes_hits and not waits_for:
            waits_for = _delete(batch)
        if waits_for:
            if batch.state == BatchState.CLOSING and batch.state_reason != waits_for:
                batch.state_reason = waits_for
                batch.save(update_fields=["state_reason"])
            return
        batch.ended_at = clock.now()
        if batch.state == BatchState.CLOSING:
            batch.state, batch.state_reason = BatchState.CLOSED, ""
            record(BY, "batch.closed", batch, team_id=batch.team_id)
        batch.save(update_fields=["ended_at", "state", "state_reason"])


def expire_now(hits: HITQuerySet[HIT], *, by: Actor) -> int:
    """Make an Operation for each of these HITs that Workers can still accept; returns how many."""
    hits = open_hits(hits)
    ending_after_all = _drop_more_time(hits)
    same = Operation.objects.filter(family=OperationKind.EXPIRE.family, target_id=OuterRef("pk"))
    is_on_its_way = same.filter(state__in=OPEN_STATES, values__expire_at="")
    is_a_persons = same.filter(state=IntentionState.FAILED)
    hits = hits.exclude(Exists(is_on_its_way)).exclude(Exists(is_a_persons))
    return ending_after_all + queue_operations(hits, OperationKind.EXPIRE, "", by=by)


def _drop_more_time(hits: HITQuerySet[HIT]) -> int:
    """Where an end is on its way and more time waits for it, the end is wished for again; returns how often."""
    open_ones = Operation.objects.filter(family=OperationKind.EXPIRE.family, state__in=OPEN_STATES)
    ends = open_ones.filter(target_id=OuterRef("target_id"), is_next=False, values__expire_at="")
    dropped = open_ones.filter(Exists(ends), is_next=True, target_id__in=hits.values("pk"))
    return dropped.update(
        state=IntentionState.CANCELLED, lease_until=None, outcome="Replaced by a newer wish."
    )


def open_hits(hits: HITQuerySet[HIT]) -> HITQuerySet[HIT]:
    """Those of the HITs that Workers can accept, as far as is known."""
    return hits.working().filter(expires_at__gt=clock.now())


def what_is_left(batch: Batch) -> str:
    """What the end of the batch waits for, in a sentence; empty when nothing keeps it from being deleted."""
    hits = HIT.objects.filter(batch=batch)
    operations = Operation.objects.filter(subject_id=batch.pk, family__in=_FAMILIES)
    if failed := operations.filter(state=IntentionState.FAILED).count():
        return f"{_count(failed, 'change')} of its HITs failed: try again, or let it be."
    if (
        hits.filter(publish_state__in=_UNSETTLED).exists()
        or operations.filter(state__in=OPEN_STATES).exists()
    ):
        return "Waiting for MTurk to confirm."
    if working := hits.working().count():
        return (
            f"{_count(working, 'HIT')} with Workers at it or not collected yet; who has accepted may finish."
        )
    if batch.state == BatchState.CANCELLED:
        return ""
    if undecided := Assignment.objects.filter(batch=batch, status=AssignmentStatus.SUBMITTED).count():
        return f"{_count(undecided, 'answer')} to decide, or to be approved by time."
    if Decision.objects.open().filter(assignment__batch=batch).exists() or batch.bonuses.open().exists():
        return "Waiting for MTurk to confirm."
    return ""


_FAMILIES = {kind.family for kind in OperationKind}


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' if number != 1 else ''}"


def deletable(batch: Batch, *, now: datetime) -> HITQuerySet[HIT]:
    """HITs that may be deleted at the market: over, everything stored here and decided, no rejection that could
    still be overturned unless the batch gives those up."""
    answers = Assignment.objects.filter(hit=OuterRef("pk"))
    found = HIT.objects.filter(batch=batch).at_the_market()
    found = found.filter(
        hit_status__in=[HITStatus.REVIEWABLE, HITStatus.REVIEWING], fetch_wanted_at=None, refetches_left=0
    )
    found = found.exclude(Exists(answers.filter(status=AssignmentStatus.SUBMITTED)))
    found = found.exclude(Exists(_of_hit(Decision.objects.open()))).exclude(
        Exists(_of_hit(Bonus.objects.open()))
    )
    if not batch.deletes_rejected:
        found = found.exclude(Exists(answers.filter(overturnable(now))))
    return found


def _of_hit(intentions: QuerySet[IntentionT]) -> QuerySet[IntentionT]:
    """Decisions or bonuses of the HIT of an outer query."""
    return intentions.filter(assignment__hit=OuterRef("pk"))


def overturnable_answers(batch: Batch) -> QuerySet[Assignment]:
    """The batch's rejections that could still be overturned."""
    return Assignment.objects.filter(overturnable(clock.now()), batch=batch)


def overturnable(now: datetime) -> Q:
    """Rejections that MTurk still lets be overturned, as long as the HIT exists."""
    return Q(status=AssignmentStatus.REJECTED, submitted_at__gt=now - OVERTURN_WINDOW)


def _delete(batch: Batch) -> str:
    now = clock.now()
    if queue_operations(deletable(batch, now=now), OperationKind.DELETE, batch.deletes_rejected, by=BY):
        return "Waiting for MTurk to confirm."
    left = HIT.objects.filter(batch=batch).at_the_market().count()
    if not left:
        return ""
    rejected = Assignment.objects.filter(overturnable(now), batch=batch).order_by("-submitted_at").first()
    if rejected is None:
        return f"{_count(left, 'HIT')} to be collected once more before deletion."
    last_day = rejected.submitted_at + OVERTURN_WINDOW
    return f"{_count(left, 'HIT')} at MTurk until {last_day:%d %b %Y}: until then their rejections can be overturned."

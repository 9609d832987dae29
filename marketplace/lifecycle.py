"""What Workers and time do to HITs and Assignments.

Locks are taken in one order, Worker, Assignment, HIT, Balance, so that nobody waits in a circle.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import cast

from django.db import connection, transaction
from django.db.models import F, OuterRef, Q, Subquery
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from marketplace import clock, deciding, outbox, reviewing
from marketplace.answers import answer_document, answer_fields
from marketplace.deciding import settle
from marketplace.ledger import Move
from marketplace.models import HIT, Assignment, HITType, Worker
from marketplace.models.assignment import TAKEN, AssignmentState
from marketplace.models.hit import RETENTION, REVIEWABLE, HITQuerySet
from marketplace.models.ledger import Account
from marketplace.qualified import Record

# How many accepted HITs a Worker may hold at once.
QUEUE_LIMIT = 25
# Rows one transaction of the periodic pass changes, so that nobody waits long for a lock it holds.
_CHUNK = 200


class Refused(Exception):
    """A Worker cannot do this now; `sentence` says why and what to do, `code` is for programs and tests."""

    def __init__(self, code: str, sentence: str | Promise) -> None:
        super().__init__(code)
        self.code = code
        self.sentence = sentence


_QUEUE_FULL = Refused(
    "queue_full",
    _("You hold 25 HITs already. Submit or return one of them, then accept this one."),
)
_DONE_BEFORE = Refused("done_before", _("You have already done this HIT. Choose another one."))
_NONE_LEFT = Refused("none_left", _("There are no HITs left here. Others were faster. Choose another group."))
_NOT_QUALIFIED = Refused(
    "not_qualified",
    _("You lack a qualification for these HITs. Their page says which, and how to get it."),
)
_NO_SUCH = Refused("no_such_assignment", _("There is no such assignment. Accept the HIT first, then submit."))
_TOO_LATE = Refused(
    "too_late", _("The time for this HIT ran out, so it went back to others. Nothing was submitted.")
)
_RETURNED = Refused(
    "returned", _("You returned this HIT, so it cannot be submitted. Accept it again to work on it.")
)
_SUBMITTED = Refused("submitted", _("This HIT is submitted already. There is nothing more to do."))
_EMPTY = Refused(
    "empty",
    _("The page sent no answer: none of its fields has a name. Tell the requester, or return the HIT."),
)
PREVIEW_ONLY = Refused(
    "preview", _("This is a preview: nothing was sent. Accept the HIT first, then answer.")
)
_STATE_REFUSALS = {
    AssignmentState.SUBMITTED: _SUBMITTED,
    AssignmentState.APPROVED: _SUBMITTED,
    AssignmentState.REJECTED: _SUBMITTED,
    AssignmentState.RETURNED: _RETURNED,
    AssignmentState.ABANDONED: _TOO_LATE,
}


# What Workers do ---------------------------------------------------------------------------------


def accept_hit(hit: HIT, worker: Worker, *, or_another: bool = False) -> Assignment:
    """Give the Worker a slot of the HIT, or with `or_another` of any HIT in its group; raises Refused.

    Accepting what one holds already gives the same Assignment again.
    """
    apply_due()
    with transaction.atomic():
        # One accept per Worker at a time, so that the queue limit holds.
        Worker.objects.select_for_update(no_key=True).get(pk=worker.pk)
        mine = Assignment.objects.filter(worker=worker, hit=hit, state__in=TAKEN).first()
        if mine and mine.state == AssignmentState.ACCEPTED:
            return mine
        if worker.assignments.filter(state=AssignmentState.ACCEPTED).count() >= QUEUE_LIMIT:
            raise _QUEUE_FULL
        _check_qualified(hit.hit_type, worker)
        wanted = HIT.objects.open_to(worker).filter(pk=hit.pk)
        free = None if mine else _lock_free(wanted, skip_locked=False)
        if free is None and or_another:
            group = HIT.objects.filter(hit_type_id=hit.hit_type_id).exclude(pk=hit.pk)
            free = _lock_next(group, worker)
        if free is None:
            raise _DONE_BEFORE if mine else _NONE_LEFT
        return _take_slot(free, worker)


def accept_any(hit_type: HITType, worker: Worker) -> Assignment:
    """Give the Worker a slot of the oldest HIT of a group that they have not done; raises Refused."""
    apply_due()
    with transaction.atomic():
        Worker.objects.select_for_update(no_key=True).get(pk=worker.pk)
        if worker.assignments.filter(state=AssignmentState.ACCEPTED).count() >= QUEUE_LIMIT:
            raise _QUEUE_FULL
        _check_qualified(hit_type, worker)
        free = _lock_next(HIT.objects.filter(hit_type=hit_type), worker)
        if free is None:
            raise _NONE_LEFT
        return _take_slot(free, worker)


def submit_assignment(assignment_id: str, fields: Sequence[tuple[str, str]]) -> Assignment:
    """Store a form's fields as the answer of the Assignment with this AssignmentId; raises Refused."""
    if not answer_fields(fields):
        raise _EMPTY
    return submit_document(assignment_id, answer_document(fields))


def submit_document(assignment_id: str, document: str) -> Assignment:
    """Store QuestionFormAnswers XML as the answer of the Assignment with this AssignmentId; raises Refused."""
    with transaction.atomic():
        assignment = _lock_accepted(assignment_id)
        now = clock.now()
        if assignment.deadline_at <= now:
            raise _TOO_LATE
        assignment.state = AssignmentState.SUBMITTED
        assignment.submitted_at = now
        assignment.auto_approval_at = now + assignment.hit.hit_type.auto_approval_delay
        assignment.answer = document
        assignment.save(update_fields=["state", "submitted_at", "auto_approval_at", "answer"])
        hit = assignment.hit = _lock_hit(assignment.hit_id)
        hit.pending_count -= 1
        hit.submitted_count += 1
        hit.last_activity_at = now
        hit.save(update_fields=["pending_count", "submitted_count", "last_activity_at"])
        outbox.announce("AssignmentSubmitted", [assignment], now=now)
        if hit.assignment_review_policy:
            reviewing.score_submission(assignment, now=now)
            # Decided or extended by now.
            assignment.refresh_from_db()
            hit = assignment.hit
        note_reviewable([hit], now=now)
    return assignment


def return_assignment(assignment_id: str) -> Assignment:
    """Give an accepted Assignment back; its slot is free again at once. Raises Refused."""
    with transaction.atomic():
        assignment = _lock_accepted(assignment_id)
        _end([assignment], AssignmentState.RETURNED, now=clock.now())
    return assignment


def _check_qualified(hit_type: HITType, worker: Worker) -> None:
    # The Worker's values at this moment count; what they lose later takes nothing they hold away.
    if not Record(worker).may("accept", hit_type.qualification_requirements):
        raise _NOT_QUALIFIED


def _lock_free(hits: HITQuerySet, *, skip_locked: bool) -> HIT | None:
    """The oldest of the HITs that has a free slot, locked."""
    return (
        hits.assignable(clock.now())
        .select_related("hit_type")
        .select_for_update(no_key=True, of=("self",), skip_locked=skip_locked)
        .order_by("id")
        .first()
    )


def _lock_next(group: HITQuerySet, worker: Worker) -> HIT | None:
    taken = Assignment.objects.filter(hit=OuterRef("pk"), worker=worker, state__in=TAKEN)
    # Looked up HIT by HIT: as `not exists` Postgres joins, and a Worker with thousands of HITs would wait for it.
    fresh = group.open_to(worker).alias(mine=Subquery(taken.values("pk")[:1])).filter(mine=None)
    # HITs others are accepting right now are passed over, and waited for only when they are all there is.
    return _lock_free(fresh, skip_locked=True) or _lock_free(fresh, skip_locked=False)


def _take_slot(hit: HIT, worker: Worker) -> Assignment:
    now = clock.now()
    HIT.objects.filter(pk=hit.pk).update(pending_count=F("pending_count") + 1, last_activity_at=now)
    assignment = Assignment.objects.create(
        hit=hit, worker=worker, accepted_at=now, deadline_at=now + hit.hit_type.assignment_duration
    )
    outbox.announce("AssignmentAccepted", [assignment], now=now)
    return assignment


def _lock_hit(pk: int) -> HIT:
    return HIT.objects.select_related("hit_type").select_for_update(no_key=True, of=("self",)).get(pk=pk)


def _lock_accepted(assignment_id: str) -> Assignment:
    assignment = (
        Assignment.objects.select_related("hit__hit_type")
        .select_for_update(no_key=True, of=("self",))
        .filter(mturk_id=assignment_id)
        .first()
    )
    if assignment is None:
        raise _NO_SUCH
    if assignment.state != AssignmentState.ACCEPTED:
        raise _STATE_REFUSALS[AssignmentState(assignment.state)]
    return assignment


# What time does ----------------------------------------------------------------------------------

# The earliest of each kind is the low end of a partial index, so asking is cheap when nothing is due.
_EARLIEST_SQL = (
    "(select min(deadline_at) from marketplace_assignment where state = 'accepted')",
    "(select min(auto_approval_at) from marketplace_assignment where state = 'submitted')",
    "(select min(expires_at) from marketplace_hit where disposed_at is null and expired_at is null"
    " and max_assignments > submitted_count + completed_count)",
)
DUE_SQL = " or ".join(
    [
        *(f"{earliest} <= {{now}}" for earliest in _EARLIEST_SQL),
        "exists (select from marketplace_hit where review_due)",
    ]
)


def something_is_due() -> bool:
    """Whether time has done something to a HIT or Assignment that is not yet written down."""
    with connection.cursor() as cursor:
        cursor.execute(f"select {DUE_SQL.format(now=clock.now_sql())}")
        return bool(cursor.fetchone()[0])


def lag() -> timedelta:
    """How long the earliest of what is due has been waiting to be written down; zero when nothing is."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"select greatest({clock.now_sql()} - least({', '.join(_EARLIEST_SQL)}), interval '0')"
        )
        return cast(timedelta, cursor.fetchone()[0])


def apply_due() -> int:
    """Write down what time has done by now, and say to how many rows; several processes may do it at once."""
    if not something_is_due():
        return 0
    steps = (_abandon_overdue, _settle_expired, reviewing.review_next_hit, _approve_overdue)
    return sum(_in_chunks(step) for step in steps)


def dispose_forgotten() -> int:
    """Dispose of HITs without activity for 120 days, and say of how many."""
    return _in_chunks(_dispose_forgotten)


def _in_chunks(step: Callable[[], int]) -> int:
    total = 0
    while changed := step():
        total += changed
    return total


@transaction.atomic
def _abandon_overdue() -> int:
    now = clock.now()
    overdue = _lock_due(Q(state=AssignmentState.ACCEPTED, deadline_at__lte=now), "deadline_at")
    _end(overdue, AssignmentState.ABANDONED, now=now)
    return len(overdue)


@transaction.atomic
def _approve_overdue() -> int:
    now = clock.now()
    overdue = _lock_due(Q(state=AssignmentState.SUBMITTED, auto_approval_at__lte=now), "auto_approval_at")
    if overdue:
        deciding.approve_assignments(overdue, now=now, by_itself=True)
    return len(overdue)


def _lock_due(due: Q, order: str) -> list[Assignment]:
    return list(
        Assignment.objects.filter(due)
        .select_related("hit__hit_type")
        .select_for_update(no_key=True, of=("self",), skip_locked=True)
        .order_by(order)[:_CHUNK]
    )


def _end(assignments: Sequence[Assignment], state: AssignmentState, *, now: datetime) -> None:
    """Free the slots of accepted Assignments, locked by the caller."""
    Assignment.objects.filter(pk__in=[assignment.pk for assignment in assignments]).update(
        state=state, ended_at=now
    )
    outbox.announce(f"Assignment{state.label}", assignments, now=now)
    moves, hits = [], []
    for hit_id, freed in sorted(Counter(assignment.hit_id for assignment in assignments).items()):
        hit = _lock_hit(hit_id)
        hits.append(hit)
        hit.pending_count -= freed
        hit.last_activity_at = now
        if hit.is_expired(now):
            # Nobody can take the slot any more, so its money need not wait.
            hit.held_slots -= freed
            moves.append((hit, Move(Account.HELD, Account.AVAILABLE, hit.price_each * freed, hit)))
        hit.save(update_fields=["pending_count", "held_slots", "last_activity_at"])
    note_reviewable(hits, now=now)
    settle(moves, now=now)


@transaction.atomic
def _settle_expired() -> int:
    now = clock.now()
    expired = list(
        HIT.objects.not_deleted()
        .filter(
            expires_at__lte=now,
            expired_at=None,
            max_assignments__gt=F("submitted_count") + F("completed_count"),
        )
        .select_related("hit_type")
        .select_for_update(no_key=True, of=("self",), skip_locked=True)
        .order_by("expires_at")[:_CHUNK]
    )
    note_expired(expired, now=now)
    return len(expired)


def note_expired(hits: Sequence[HIT], *, now: datetime) -> None:
    """Write down that the time of HITs, locked by the caller, is over; money of their free slots is released."""
    HIT.objects.filter(pk__in=[hit.pk for hit in hits]).update(expired_at=now)
    open_before = [hit for hit in hits if hit.available_count + hit.pending_count > 0]
    outbox.announce("HITExpired", open_before, now=now)
    note_reviewable(hits, now=now)
    release_unreachable(hits, now=now)


def note_reviewable(hits: Sequence[HIT], *, now: datetime) -> None:
    """Write down which of these HITs, locked by the caller, have become Reviewable, and have them reviewed."""
    reviewable = [hit for hit in hits if hit.reviewable_at is None and hit.status(now) == REVIEWABLE]
    if not reviewable:
        return
    HIT.objects.filter(pk__in=[hit.pk for hit in reviewable]).update(
        reviewable_at=now, review_due=Q(hit_review_policy__isnull=False)
    )
    outbox.announce("HITReviewable", reviewable, now=now)


def release_unreachable(hits: Sequence[HIT], *, now: datetime) -> None:
    """Release what is on hold for free slots of expired HITs, locked by the caller."""
    HIT.objects.filter(pk__in=[hit.pk for hit in hits]).update(
        held_slots=F("pending_count") + F("submitted_count")
    )
    moves = []
    for hit in hits:
        free = hit.held_slots - hit.pending_count - hit.submitted_count
        moves.append((hit, Move(Account.HELD, Account.AVAILABLE, hit.price_each * free, hit)))
    settle(moves, now=now)


@transaction.atomic
def _dispose_forgotten() -> int:
    now = clock.now()
    over = Q(max_assignments=F("completed_count")) | Q(expires_at__lte=now - RETENTION)
    forgotten = (
        HIT.objects.not_deleted()
        .filter(over, last_activity_at__lte=now - RETENTION, pending_count=0, submitted_count=0)
        .select_related("hit_type")
        .select_for_update(no_key=True, of=("self",), skip_locked=True)
        .order_by("last_activity_at")[:_CHUNK]
    )
    outbox.announce("HITDisposed", forgotten, now=now)
    return HIT.objects.filter(pk__in=[hit.pk for hit in forgotten]).update(disposed_at=now)

"""What decisions do to Assignments, their HITs and the money. The caller holds the Assignments' locks."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import F

from marketplace import ledger, outbox
from marketplace.ledger import Move
from marketplace.models import HIT, Assignment
from marketplace.models.assignment import AssignmentState
from marketplace.models.ledger import Account


def approve_assignments(
    assignments: Sequence[Assignment], *, now: datetime, feedback: str = "", by_itself: bool = False
) -> None:
    """Approve submitted Assignments, locked by the caller, and pay for them from what is on hold."""
    Assignment.objects.filter(pk__in=[assignment.pk for assignment in assignments]).update(
        state=AssignmentState.APPROVED,
        approved_at=now,
        was_auto_approved=by_itself,
        requester_feedback=feedback,
    )
    _settle_decided(assignments, now=now)
    outbox.announce("AssignmentApproved", assignments, now=now)
    settle(
        ((assignment.hit, move) for assignment in assignments for move in _payment(assignment, Account.HELD)),
        now=now,
    )


def reject_assignment(assignment: Assignment, *, now: datetime, feedback: str) -> None:
    """Reject a submitted Assignment, locked by the caller; its hold is released and its slot stays used."""
    Assignment.objects.filter(pk=assignment.pk).update(
        state=AssignmentState.REJECTED, rejected_at=now, requester_feedback=feedback
    )
    _settle_decided([assignment], now=now)
    outbox.announce("AssignmentRejected", [assignment], now=now)
    hit = assignment.hit
    settle([(hit, Move(Account.HELD, Account.AVAILABLE, hit.price_each, hit, assignment))], now=now)


def overturn_rejection(assignment: Assignment, *, now: datetime, feedback: str) -> None:
    """Approve a rejected Assignment, locked by the caller; paid anew, so it raises InsufficientFunds."""
    Assignment.objects.filter(pk=assignment.pk).update(
        state=AssignmentState.APPROVED,
        approved_at=now,
        requester_feedback=feedback or assignment.requester_feedback,
    )
    HIT.objects.filter(pk=assignment.hit_id).update(last_activity_at=now)
    outbox.announce("AssignmentApproved", [assignment], now=now)
    settle(((assignment.hit, move) for move in _payment(assignment, Account.AVAILABLE)), now=now)


def _payment(assignment: Assignment, source: Account) -> list[Move]:
    hit = assignment.hit
    return [
        Move(source, Account.WORKERS, hit.hit_type.reward, hit, assignment),
        Move(source, Account.FEES, hit.fee_each, hit, assignment),
    ]


def _settle_decided(assignments: Sequence[Assignment], *, now: datetime) -> None:
    for hit_id, decided in sorted(Counter(assignment.hit_id for assignment in assignments).items()):
        HIT.objects.filter(pk=hit_id).update(
            submitted_count=F("submitted_count") - decided,
            completed_count=F("completed_count") + decided,
            held_slots=F("held_slots") - decided,
            last_activity_at=now,
        )


def settle(moves: Iterable[tuple[HIT, Move]], *, now: datetime) -> None:
    """Post moves that belong to several requesters' HITs, a balance at a time and always in the same order."""
    by_requester: dict[int, list[Move]] = defaultdict(list)
    for hit, move in moves:
        by_requester[hit.requester_id].append(move)
    for requester_id, theirs in sorted(by_requester.items()):
        ledger.post(requester_id, theirs, now=now)

"""Reads and decides what Workers submitted."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from marketplace import deciding
from marketplace.call import Call, Members
from marketplace.errors import (
    assignment_does_not_exist,
    hit_does_not_exist,
    invalid_assignment_state,
    invalid_value,
    request_error,
)
from marketplace.models import HIT, Assignment
from marketplace.models.assignment import ASSIGNMENT_STATUS, AssignmentState
from marketplace.operations.hits import visible_hits
from marketplace.operations.shown import show_assignment, show_hit
from marketplace.paging import DEFAULT_MAX_RESULTS, next_token, read_token

MAX_FEEDBACK = 1024
# How long after it was submitted rejected work can still be approved.
OVERTURN_WITHIN = timedelta(days=30)
_STATES = {status: state for state, status in ASSIGNMENT_STATUS.items()}
_GONE = (AssignmentState.RETURNED, AssignmentState.ABANDONED)


def list_assignments_for_hit(call: Call, members: Members) -> Members:
    """Submitted work on a HIT, oldest first, with the statuses asked for."""
    position = read_token(call, members)
    hit = HIT.objects.not_deleted().filter(requester_id=call.requester_id, mturk_id=members["HITId"]).first()
    if hit is None:
        raise hit_does_not_exist(members["HITId"])
    states = [_STATES[status] for status in members.get("AssignmentStatuses") or _STATES]
    assignments = Assignment.objects.filter(hit=hit, submitted_at__isnull=False, state__in=states)
    if position is not None:
        submitted_at, pk = datetime.fromisoformat(position[0]), position[1]
        # The first condition is what the index can use.
        assignments = assignments.filter(
            Q(submitted_at__gte=submitted_at), Q(submitted_at__gt=submitted_at) | Q(id__gt=pk)
        )
    page = list(
        assignments.select_related("worker").order_by("submitted_at", "id")[
            : members.get("MaxResults", DEFAULT_MAX_RESULTS)
        ]
    )
    shown = {
        "NumResults": len(page),
        "Assignments": [show_assignment(assignment, hit_id=hit.mturk_id) for assignment in page],
    }
    if page:
        # Every submitted Assignment has its time: a constraint says so.
        last_at = page[-1].submitted_at.isoformat()  # type: ignore[union-attr]
        shown["NextToken"] = next_token(call, members, [last_at, page[-1].pk])
    return shown


def get_assignment(call: Call, members: Members) -> Members:
    """A submitted Assignment and its HIT."""
    assignment = _find(call, members["AssignmentId"], lock=False)
    if assignment.state == AssignmentState.ACCEPTED:
        # MTurk's own word for submitted work in this message is Reviewable.
        raise invalid_assignment_state("Reviewable,Approved,Rejected")
    return {
        "Assignment": show_assignment(assignment, hit_id=assignment.hit.mturk_id),
        "HIT": show_hit(assignment.hit, call.now),
    }


@transaction.atomic
def approve_assignment(call: Call, members: Members) -> None:
    """Pay for submitted work, or with OverrideRejection for work that was rejected."""
    feedback = _read_feedback(members)
    assignment = _find(call, members["AssignmentId"], lock=True)
    if assignment.state == AssignmentState.SUBMITTED:
        deciding.approve_assignments([assignment], now=call.now, feedback=feedback)
    elif members.get("OverrideRejection") and _can_be_overturned(assignment, call.now):
        deciding.overturn_rejection(assignment, now=call.now, feedback=feedback)
    else:
        raise invalid_assignment_state("Submitted")


@transaction.atomic
def reject_assignment(call: Call, members: Members) -> None:
    """Refuse to pay for submitted work; its slot stays used."""
    feedback = _read_feedback(members)
    assignment = _find(call, members["AssignmentId"], lock=True)
    if assignment.state != AssignmentState.SUBMITTED:
        raise invalid_assignment_state("Submitted")
    deciding.reject_assignment(assignment, now=call.now, feedback=feedback)


def get_file_upload_url(call: Call, members: Members) -> None:
    """Always refused: MTurk withdrew FileUploadAnswer, so no answer has a file."""
    _find(call, members["AssignmentId"], lock=False)
    raise request_error(
        "InvalidParameterValue",
        "FileUploadAnswer was withdrawn on 12 December 2017; no assignment has an uploaded file.",
    )


def _read_feedback(members: Members) -> str:
    feedback: str = members.get("RequesterFeedback", "")
    if len(feedback) > MAX_FEEDBACK:
        raise invalid_value("RequesterFeedback", feedback)
    return feedback


def _find(call: Call, assignment_id: str, *, lock: bool) -> Assignment:
    assignments = Assignment.objects.select_related("hit__hit_type", "worker").exclude(state__in=_GONE)
    if lock:
        assignments = assignments.select_for_update(no_key=True, of=("self",))
    assignment = assignments.filter(
        mturk_id=assignment_id, hit__in=visible_hits(call.requester_id, call.now)
    ).first()
    if assignment is None:
        raise assignment_does_not_exist(assignment_id)
    return assignment


def _can_be_overturned(assignment: Assignment, now: datetime) -> bool:
    return (
        assignment.state == AssignmentState.REJECTED
        and assignment.submitted_at is not None
        and assignment.submitted_at >= now - OVERTURN_WITHIN
        and assignment.hit.disposed_at is None
    )

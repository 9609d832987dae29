"""Every status and state of this room, and which may follow which.

A *status* is MTurk's and spelled as MTurk spells it; a *state* is ours and lower case.
"""

from django.db import models

from mturkhub.intentions.models import IntentionState


class BatchState(models.TextChoices):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHING = "publishing"
    LIVE = "live"  # nothing waits to be sent
    PAUSED = "paused"  # nothing is created; live HITs go on
    CLOSING = "closing"
    CLOSED = "closed"
    CANCELLED = "cancelled"


BATCH_FOLLOWS: dict[BatchState, set[BatchState]] = {
    BatchState.DRAFT: {BatchState.SCHEDULED, BatchState.PUBLISHING, BatchState.CANCELLED},
    BatchState.SCHEDULED: {BatchState.PUBLISHING, BatchState.DRAFT},
    BatchState.PUBLISHING: {BatchState.LIVE, BatchState.PAUSED, BatchState.CANCELLED},
    BatchState.LIVE: {BatchState.PUBLISHING, BatchState.CLOSING, BatchState.CANCELLED},
    BatchState.PAUSED: {BatchState.PUBLISHING, BatchState.CANCELLED},
    BatchState.CLOSING: {BatchState.CLOSED},
    BatchState.CLOSED: set(),
    BatchState.CANCELLED: {BatchState.CLOSING},
}


class HITStatus(models.TextChoices):
    ASSIGNABLE = "Assignable"
    UNASSIGNABLE = "Unassignable"
    REVIEWABLE = "Reviewable"
    REVIEWING = "Reviewing"
    DISPOSED = "Disposed"


class AssignmentStatus(models.TextChoices):
    SUBMITTED = "Submitted"
    APPROVED = "Approved"
    REJECTED = "Rejected"


class Verdict(models.TextChoices):
    APPROVE = "approve"
    REJECT = "reject"


class OperationKind(models.TextChoices):
    """The writes about a HIT after it was created, each named as MTurk's operation."""

    ADD_ANSWERS = "create_additional_assignments_for_hit", "more answers"
    EXPIRE = "update_expiration_for_hit", "another expiration"
    DELETE = "delete_hit", "deletion"

    @property
    def family(self) -> str:
        """At most one of a family is on its way for a HIT: expiring and deleting exclude each other."""
        return "hit_answers" if self.adds_up else "hit_expiration"

    @property
    def adds_up(self) -> bool:
        """Whether a newer wish counts besides those before it, and does not take their place."""
        return self == OperationKind.ADD_ANSWERS


class RowProgress(models.TextChoices):
    """Where one row of a batch stands, over all its HITs."""

    NOT_PUBLISHED = "not_published", "not published"
    NO_ANSWER = "no_answer", "no answer yet"
    SOME_ANSWERS = "some_answers", "some answers"
    TO_REVIEW = "to_review", "to review"
    DECIDED = "decided", "decided"
    FAILED = "failed", "failed"


# What a sender or settler may make of an intention; `unknown` is no end.
INTENTION_FOLLOWS: dict[IntentionState, set[IntentionState]] = {
    IntentionState.WAITING: {IntentionState.QUEUED, IntentionState.CANCELLED},
    IntentionState.QUEUED: {IntentionState.SENDING, IntentionState.CANCELLED, IntentionState.FAILED},
    IntentionState.SENDING: {
        IntentionState.DONE,
        IntentionState.PUBLISHED,
        IntentionState.FAILED,
        IntentionState.OVERTAKEN,
        IntentionState.UNKNOWN,
        IntentionState.QUEUED,
    },
    IntentionState.UNKNOWN: {
        IntentionState.DONE,
        IntentionState.PUBLISHED,
        IntentionState.FAILED,
        IntentionState.OVERTAKEN,
        IntentionState.QUEUED,
        IntentionState.CANCELLED,
    },
    # A person's retry sends the same row with the same token again.
    IntentionState.FAILED: {IntentionState.QUEUED, IntentionState.CANCELLED},
    IntentionState.DONE: set(),
    IntentionState.PUBLISHED: set(),
    IntentionState.OVERTAKEN: set(),
    IntentionState.CANCELLED: set(),
}

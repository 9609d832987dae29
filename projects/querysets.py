"""Named reads over many rows."""

from typing import Self, TypeVar

from django.db import models
from django.db.models import Q

from mturkhub.accounts.querysets import TeamQuerySet
from mturkhub.intentions.models import OPEN_STATES, IntentionState
from projects.states import AssignmentStatus, BatchState, HITStatus

# Of Assignments, and of HITs: conditions of indexes.
DECIDED_ELSEWHERE = Q(decided_elsewhere__gt="")
NOT_ASKED_AGAIN = Q(status="Rejected", pending_verdict="", asked_again_in__isnull=True)
CHANGED_ELSEWHERE = Q(changed_elsewhere__gt="") | Q(missing_since__isnull=False)

ModelT = TypeVar("ModelT", bound=models.Model, covariant=True)


class BatchQuerySet(TeamQuerySet[ModelT]):
    def publishing(self) -> Self:
        """Batches with HITs that wait to be created."""
        return self.filter(state=BatchState.PUBLISHING)

    def ending(self) -> Self:
        """Cancelled or closing batches of which something is left to be done at the market."""
        return self.filter(state__in=[BatchState.CANCELLED, BatchState.CLOSING], ended_at=None)

    def requeueing(self) -> Self:
        """Batches at work that ask again for rejected answers by themselves, and have not stopped."""
        at_work = self.filter(state__in=[BatchState.LIVE, BatchState.PUBLISHING])
        return at_work.filter(requeue_most__isnull=False, requeue_stopped="")

    def drafts(self) -> Self:
        return self.filter(state=BatchState.DRAFT)


class HITQuerySet(TeamQuerySet[ModelT]):
    def published(self) -> Self:
        return self.filter(publish_state=IntentionState.PUBLISHED)

    def failed(self) -> Self:
        return self.filter(publish_state=IntentionState.FAILED)

    def changed_elsewhere(self) -> Self:
        """Missing at MTurk, or changed without us."""
        return self.filter(CHANGED_ELSEWHERE)

    def at_the_market(self) -> Self:
        """Created, and neither deleted there nor missing."""
        return self.published().filter(missing_since=None).exclude(hit_status=HITStatus.DISPOSED)

    def working(self) -> Self:
        """Workers can answer them, as far as was last listed: not over, and not all answered."""
        return self.at_the_market().filter(hit_status__in=[HITStatus.ASSIGNABLE, HITStatus.UNASSIGNABLE])


class AssignmentQuerySet(TeamQuerySet[ModelT]):
    def awaiting_review(self) -> Self:
        """Submitted, and nobody here has decided."""
        return self.filter(status=AssignmentStatus.SUBMITTED, pending_verdict="")

    def not_asked_again(self) -> Self:
        """Rejected, as MTurk has confirmed, and neither being overturned nor asked for again."""
        return self.filter(NOT_ASKED_AGAIN)

    def decided_elsewhere(self) -> Self:
        """By somebody who is not here, or by MTurk itself."""
        return self.filter(DECIDED_ELSEWHERE)

    def kept(self) -> Self:
        """Not left out of the data."""
        return self.filter(left_out_at__isnull=True)


class DecisionQuerySet(TeamQuerySet[ModelT]):
    def open(self) -> Self:
        return self.filter(state__in=OPEN_STATES)


class BonusQuerySet(TeamQuerySet[ModelT]):
    def open(self) -> Self:
        return self.filter(state__in=OPEN_STATES)

    def paid(self) -> Self:
        return self.filter(state=IntentionState.DONE)

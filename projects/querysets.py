"""Named reads over many rows."""

from typing import Self, TypeVar

from django.db import models

from mturkhub.accounts.querysets import TeamQuerySet
from mturkhub.intentions.models import IntentionState
from projects.states import AssignmentStatus, BatchState

ModelT = TypeVar("ModelT", bound=models.Model, covariant=True)


class BatchQuerySet(TeamQuerySet[ModelT]):
    def publishing(self) -> Self:
        """Batches with HITs that wait to be created."""
        return self.filter(state=BatchState.PUBLISHING)

    def drafts(self) -> Self:
        return self.filter(state=BatchState.DRAFT)


class HITQuerySet(TeamQuerySet[ModelT]):
    def published(self) -> Self:
        return self.filter(publish_state=IntentionState.PUBLISHED)

    def failed(self) -> Self:
        return self.filter(publish_state=IntentionState.FAILED)


class AssignmentQuerySet(TeamQuerySet[ModelT]):
    def awaiting_review(self) -> Self:
        """Submitted, and nobody here has decided."""
        return self.filter(status=AssignmentStatus.SUBMITTED, pending_verdict="")

    def kept(self) -> Self:
        """Not left out of the data."""
        return self.filter(left_out_at__isnull=True)


class DecisionQuerySet(TeamQuerySet[ModelT]):
    def open(self) -> Self:
        return self.filter(
            state__in=[
                IntentionState.WAITING,
                IntentionState.QUEUED,
                IntentionState.SENDING,
                IntentionState.UNKNOWN,
            ]
        )

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from marketplace.identifiers import new_entity_id
from marketplace.models.requester import Requester
from marketplace.models.worker import Worker
from marketplace.models.worker_block import WorkerBlock

RETENTION = timedelta(days=120)
ASSIGNABLE, UNASSIGNABLE, REVIEWABLE, REVIEWING, DISPOSED = (
    "Assignable",
    "Unassignable",
    "Reviewable",
    "Reviewing",
    "Disposed",
)


class HITType(models.Model):
    """Properties that HITs share; equal properties are one HITType, and one line on the worker site."""

    mturk_id = models.CharField(max_length=64, default=new_entity_id)
    group_mturk_id = models.CharField(max_length=64, default=new_entity_id)
    requester = models.ForeignKey(Requester, models.PROTECT, related_name="hit_types")
    # SHA-256 over everything below; see operations.hits.
    digest = models.CharField(max_length=64)
    title = models.CharField(max_length=128)
    description = models.CharField(max_length=2000)
    keywords = models.CharField(max_length=1000, blank=True)
    reward = models.DecimalField(max_digits=12, decimal_places=2)
    assignment_duration = models.DurationField()
    auto_approval_delay = models.DurationField()
    # As the API shows them: each with QualificationTypeId, Comparator, ActionsGuarded and RequiredToPreview.
    qualification_requirements = models.JSONField(default=list)
    # The NotificationSpecification as the requester sent it.
    notification = models.JSONField(null=True, blank=True)
    notification_active = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mturk_id"], name="hit_type_mturk_id"),
            models.UniqueConstraint(fields=["group_mturk_id"], name="hit_type_group_mturk_id"),
            models.UniqueConstraint(fields=["requester", "digest"], name="equal_properties_are_one_hit_type"),
            models.CheckConstraint(condition=Q(reward__gte=0), name="reward_is_not_negative"),
            models.CheckConstraint(
                condition=Q(notification_active=False) | Q(notification__isnull=False),
                name="active_notification_has_a_place_to_go",
            ),
        ]
        indexes = [
            # Which types require a qualification.
            GinIndex(
                fields=["qualification_requirements"],
                opclasses=["jsonb_path_ops"],
                name="hit_type_requirements",
            )
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """The preview of its HITs on the worker site."""
        return reverse("worker_site:preview", args=[self.group_mturk_id])

    def tells_of(self, event_type: str) -> bool:
        """Whether the requester wants to hear of such events."""
        return self.notification_active and event_type in (self.notification or {})["EventTypes"]


class HITQuerySet(models.QuerySet["HIT"]):
    def not_deleted(self) -> Self:
        return self.filter(disposed_at=None)

    def listed(self, now: datetime) -> Self:
        """HITs that lists show, as soon as they do."""
        hits = self.not_deleted()
        return hits.filter(created_at__lte=now - settings.LAG) if settings.LAG else hits

    def with_a_free_slot(self) -> Self:
        """HITs with slots nobody holds or has used; expired ones too."""
        return self.not_deleted().filter(
            max_assignments__gt=F("pending_count") + F("submitted_count") + F("completed_count")
        )

    def open_to(self, worker: Worker) -> Self:
        """HITs of requesters who have not blocked this Worker."""
        blocks = WorkerBlock.objects.filter(worker_mturk_id=worker.mturk_id)
        return self.exclude(requester__in=blocks.values("requester"))

    def assignable(self, now: datetime) -> Self:
        """HITs a Worker could accept at `now`."""
        return self.with_a_free_slot().filter(expires_at__gt=now)


class HIT(models.Model):
    """One unit of work. HITStatus is derived; the counters change together with the Assignments."""

    mturk_id = models.CharField(max_length=64, default=new_entity_id)
    requester = models.ForeignKey(Requester, models.PROTECT, related_name="hits", db_index=False)
    hit_type = models.ForeignKey(HITType, models.PROTECT, related_name="hits", db_index=False)
    question = models.TextField()
    # Where the question was filled in from, if from a HITLayout.
    layout_mturk_id = models.CharField(max_length=64, blank=True)
    # As the requester sent them.
    assignment_review_policy = models.JSONField(null=True, blank=True)
    hit_review_policy = models.JSONField(null=True, blank=True)
    requester_annotation = models.CharField(max_length=255, blank=True)
    max_assignments = models.IntegerField()
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField()
    # Moved by everything that happens to the HIT; retention counts from here.
    last_activity_at = models.DateTimeField()
    reviewing = models.BooleanField(default=False)
    disposed_at = models.DateTimeField(null=True, blank=True)
    # When it was written down that its time is over, and that nobody works on it any more; empty while not so.
    expired_at = models.DateTimeField(null=True, blank=True)
    reviewable_at = models.DateTimeField(null=True, blank=True)
    # Its HITReviewPolicy has not run since it became Reviewable.
    review_due = models.BooleanField(default=False)

    # Accepted and not submitted, returned or abandoned.
    pending_count = models.IntegerField(default=0)
    # Awaiting a decision.
    submitted_count = models.IntegerField(default=0)
    # Approved or rejected.
    completed_count = models.IntegerField(default=0)

    # The fee on each Assignment, fixed when the HIT is made, and how many slots have reward and fee on hold.
    fee_each = models.DecimalField(max_digits=12, decimal_places=2)
    held_slots = models.IntegerField(default=0)

    objects = HITQuerySet.as_manager()

    class Meta:
        constraints = [
            # `unique=True` would add a second index, for LIKE.
            models.UniqueConstraint(fields=["mturk_id"], name="hit_mturk_id"),
            models.CheckConstraint(
                condition=Q(pending_count__gte=0, submitted_count__gte=0, completed_count__gte=0),
                name="hit_counters_are_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(
                    max_assignments__gte=F("pending_count") + F("submitted_count") + F("completed_count")
                ),
                name="hit_has_no_more_assignments_than_slots",
            ),
            # Money is on hold for everybody who works or waits, and for no slot that is used up.
            models.CheckConstraint(
                condition=Q(
                    held_slots__gte=F("pending_count") + F("submitted_count"),
                    held_slots__lte=F("max_assignments") - F("completed_count"),
                ),
                name="hit_holds_money_for_open_slots",
            ),
        ]
        indexes = [
            models.Index(
                fields=["requester", "-id"], condition=Q(disposed_at=None), name="hit_list_newest_first"
            ),
            models.Index(
                fields=["hit_type", "id"],
                condition=Q(
                    disposed_at=None,
                    max_assignments__gt=F("pending_count") + F("submitted_count") + F("completed_count"),
                ),
                name="hit_with_a_free_slot",
            ),
            models.Index(
                fields=["hit_type", "expires_at"],
                condition=Q(
                    disposed_at=None,
                    max_assignments__gt=F("pending_count") + F("submitted_count") + F("completed_count"),
                ),
                name="hit_open_until",
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(
                    disposed_at=None,
                    expired_at=None,
                    max_assignments__gt=F("submitted_count") + F("completed_count"),
                ),
                name="hit_expiry_to_write_down",
            ),
            models.Index(fields=["id"], condition=Q(review_due=True), name="hit_review_to_run"),
            models.Index(
                fields=["last_activity_at"], condition=Q(disposed_at=None), name="hit_retention_to_check"
            ),
        ]

    def __str__(self) -> str:
        return self.mturk_id

    @property
    def available_count(self) -> int:
        """Slots nobody holds or has used. An expired HIT keeps the number, as MTurk's accounts show it."""
        return self.max_assignments - self.pending_count - self.submitted_count - self.completed_count

    @property
    def price_each(self) -> Decimal:
        """Reward and fee of one Assignment."""
        return self.hit_type.reward + self.fee_each

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at <= now

    def status(self, now: datetime) -> str:
        """HITStatus as MTurk spells it, at `now`."""
        if self.disposed_at is not None:
            return DISPOSED
        if self.available_count > 0 and not self.is_expired(now):
            return ASSIGNABLE
        if self.pending_count > 0:
            return UNASSIGNABLE
        return REVIEWING if self.reviewing else REVIEWABLE

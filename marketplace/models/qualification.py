from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.urls import reverse

from marketplace.identifiers import new_entity_id
from marketplace.models.hit import RETENTION
from marketplace.models.requester import Requester
from marketplace.models.worker import Worker

# The longest a deleted type waits for the HITs that use it before its name is free again.
DISPOSED_WITHIN = timedelta(hours=48)
ACTIVE, INACTIVE, TYPE_DISPOSING, TYPE_DISPOSED = "Active", "Inactive", "Disposing", "Disposed"
GRANTED, REVOKED = "Granted", "Revoked"


class QualificationTypeQuerySet(models.QuerySet["QualificationType"]):
    def not_disposed(self, now: datetime) -> Self:
        """Types that are not gone; those being deleted are still there."""
        return self.filter(Q(deleted_at=None) | Q(deleted_at__gt=now - DISPOSED_WITHIN), disposed_at=None)

    def lock_shared(self, type_ids: Iterable[str]) -> "list[QualificationType]":
        """Types by their MTurk ids, which nobody can change or delete until this transaction ends."""
        # Shared, which Django has no word for: many Workers may ask, and many HITs be made, at once.
        query = "select * from marketplace_qualificationtype where mturk_id = any(%s) order by id for share"
        return list(self.raw(query, [list(type_ids)]))

    def requestable(self) -> Self:
        """Types a Worker can ask for, and any requester can require."""
        return self.filter(is_active=True, deleted_at=None)


class QualificationType(models.Model):
    """A test or a label that a requester gives to Workers."""

    mturk_id = models.CharField(max_length=64, default=new_entity_id)
    requester = models.ForeignKey(
        Requester, models.PROTECT, related_name="qualification_types", db_index=False
    )
    name = models.CharField(max_length=200)
    description = models.CharField(max_length=2000)
    keywords = models.CharField(max_length=1000, blank=True)
    is_active = models.BooleanField()
    # How long after asking a Worker may ask again; None means never.
    retry_delay = models.DurationField(null=True, blank=True)
    # QuestionForm and AnswerKey XML.
    test = models.TextField(blank=True)
    answer_key = models.TextField(blank=True)
    test_duration = models.DurationField(null=True, blank=True)
    # The value that whoever asks is given at once; None where asking is not enough.
    auto_granted_value = models.IntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    # When its deletion was asked for, and when that was done.
    deleted_at = models.DateTimeField(null=True, blank=True)
    disposed_at = models.DateTimeField(null=True, blank=True)

    objects = QualificationTypeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mturk_id"], name="qualification_type_mturk_id"),
            models.UniqueConstraint(
                fields=["requester", "name"],
                condition=Q(disposed_at=None),
                name="qualification_type_name_is_taken_once",
            ),
            models.CheckConstraint(
                condition=Q(test="", answer_key="", test_duration=None)
                | (~Q(test="") & Q(test_duration__gt=timedelta(0), auto_granted_value=None)),
                name="qualification_test_has_its_time_and_is_not_auto_granted",
            ),
            models.CheckConstraint(
                condition=Q(retry_delay=None) | Q(retry_delay__gte=timedelta(0)),
                name="qualification_retry_delay_is_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(disposed_at=None) | Q(deleted_at__isnull=False),
                name="qualification_type_is_deleted_before_it_is_gone",
            ),
        ]
        indexes = [
            models.Index(fields=["requester", "-id"], name="qualification_types_newest"),
            models.Index(
                fields=["deleted_at"],
                condition=Q(deleted_at__isnull=False, disposed_at=None),
                name="qualification_type_disposing",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """What Workers see of it."""
        return reverse("worker_site:qualification", args=[self.mturk_id])

    def state(self, now: datetime) -> str:
        """Active or Inactive as MTurk shows it, or how far its deletion is, as MTurk's messages name it."""
        if self.deleted_at is None:
            return ACTIVE if self.is_active else INACTIVE
        if self.disposed_at is not None or self.deleted_at <= now - DISPOSED_WITHIN:
            return TYPE_DISPOSED
        return TYPE_DISPOSING

    def is_forgotten(self, now: datetime) -> bool:
        """Whether it is gone so long that nobody remembers it."""
        return self.deleted_at is not None and self.deleted_at <= now - RETENTION

    def shown_status(self) -> str:
        """QualificationTypeStatus, which has no word for types that are being deleted."""
        return ACTIVE if self.is_active and self.deleted_at is None else INACTIVE


class Qualification(models.Model):
    """What one Worker was given of a type; revoking keeps the row."""

    qualification_type = models.ForeignKey(
        QualificationType, models.PROTECT, related_name="qualifications", db_index=False
    )
    worker = models.ForeignKey(Worker, models.PROTECT, related_name="qualifications")
    # None where the requester named none: it fits no comparison with a number.
    value = models.IntegerField(null=True, blank=True)
    granted_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoke_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["qualification_type", "worker"], name="worker_holds_a_qualification_once"
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=False) | Q(revoke_reason=""),
                name="only_a_revoked_qualification_has_a_reason",
            ),
        ]
        indexes = [models.Index(fields=["qualification_type", "id"], name="qualification_holders")]

    def __str__(self) -> str:
        return f"{self.qualification_type_id} of {self.worker_id}"

    @property
    def status(self) -> str:
        """As MTurk spells it."""
        return GRANTED if self.revoked_at is None else REVOKED


class RequestState(models.TextChoices):
    """Where a Worker's request stands. MTurk shows pending ones only."""

    # The Worker has the test before them.
    TESTING = "testing"
    PENDING = "pending"
    GRANTED = "granted"
    REJECTED = "rejected"
    # The time for the test ran out.
    LAPSED = "lapsed"


OPEN = [RequestState.TESTING, RequestState.PENDING]


class QualificationRequest(models.Model):
    """A Worker asks for a Qualification, perhaps with a test."""

    mturk_id = models.CharField(max_length=64, default=new_entity_id)
    qualification_type = models.ForeignKey(
        QualificationType, models.PROTECT, related_name="requests", db_index=False
    )
    worker = models.ForeignKey(Worker, models.PROTECT, related_name="qualification_requests", db_index=False)
    state = models.CharField(max_length=10, choices=RequestState.choices)
    requested_at = models.DateTimeField()
    # The test as this Worker got it, with the key of that moment, and until when it can be submitted.
    test = models.TextField(blank=True)
    answer_key = models.TextField(blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    # When it reached the requester; QuestionFormAnswers XML where there was a test.
    submitted_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    # What was granted, or why not.
    value = models.IntegerField(null=True, blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mturk_id"], name="qualification_request_mturk_id"),
            models.UniqueConstraint(
                fields=["qualification_type", "worker"],
                condition=Q(state__in=OPEN),
                name="worker_has_one_open_request_per_type",
            ),
            models.CheckConstraint(
                condition=Q(
                    state=RequestState.TESTING,
                    deadline_at__isnull=False,
                    submitted_at=None,
                    decided_at=None,
                )
                | Q(state=RequestState.PENDING, submitted_at__isnull=False, decided_at=None)
                | Q(state=RequestState.GRANTED, submitted_at__isnull=False, decided_at__isnull=False)
                | Q(state=RequestState.REJECTED, decided_at__isnull=False)
                | Q(state=RequestState.LAPSED, deadline_at__isnull=False, submitted_at=None),
                name="qualification_request_times_fit_its_state",
            ),
            models.CheckConstraint(
                condition=Q(test="", deadline_at=None) | (~Q(test="") & Q(deadline_at__isnull=False)),
                name="qualification_request_with_a_test_has_a_deadline",
            ),
        ]
        indexes = [
            models.Index(
                fields=["qualification_type", "id"],
                condition=Q(state=RequestState.PENDING),
                name="qualification_request_pending",
            ),
            models.Index(fields=["worker", "qualification_type", "-id"], name="qualification_request_latest"),
        ]

    def __str__(self) -> str:
        return self.mturk_id

    def get_absolute_url(self) -> str:
        """The test, or what became of the request."""
        return reverse("worker_site:qualification_request", args=[self.mturk_id])

    def is_lapsed(self, now: datetime) -> bool:
        """Whether the time for its test ran out, written down or not."""
        if self.state == RequestState.LAPSED:
            return True
        return self.state == RequestState.TESTING and self.deadline_at is not None and self.deadline_at <= now

"""One Worker's go at a HIT, and what they answered."""

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Q

from mturkhub.accounts.models import Connection, Team, User
from mturkhub.common.public_ids import new_public_id
from mturkhub.workers.models import Worker
from projects.models.batch import Batch, BatchRow
from projects.models.hit import HIT
from projects.querysets import DECIDED_ELSEWHERE, NOT_ASKED_AGAIN, AssignmentQuerySet
from projects.states import AssignmentStatus, Verdict

_STATUS = ["batch", "status", "pending_verdict"]
_WAITING = Q(status="Submitted", pending_verdict="")
_LEFT_OUT = Q(left_out_at__isnull=False)


class DecidedElsewhere(models.TextChoices):
    """Who decided an answer that nobody decided here."""

    AUTO = "auto", "by MTurk itself: its time was up"
    ELSEWHERE = "elsewhere", "elsewhere, not here"


class Assignment(models.Model):
    """A submitted Assignment. What is about pay stands in Decisions; `left_out_…` is about data, ours."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="assignments")
    row = models.ForeignKey(BatchRow, on_delete=models.PROTECT, related_name="assignments")
    hit = models.ForeignKey(HIT, on_delete=models.PROTECT, related_name="assignments")
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="assignments")
    mturk_id = models.CharField(max_length=64)
    status = models.CharField(max_length=20, choices=AssignmentStatus.choices)
    # What an open Decision will make of it, so that pages can say "approving…"; empty when none is open.
    pending_verdict = models.CharField(max_length=10, choices=Verdict.choices, blank=True)

    # Empty where it was decided here, or not at all; see `projects.differences`.
    decided_elsewhere = models.CharField(
        max_length=10, choices=DecidedElsewhere.choices, blank=True, default="", db_default=""
    )

    accepted_at = models.DateTimeField()
    submitted_at = models.DateTimeField()
    deadline_at = models.DateTimeField(null=True, blank=True)
    auto_approval_at = models.DateTimeField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    rejected_at = models.DateTimeField(null=True, blank=True)
    # What the requester told the Worker, as MTurk has it.
    feedback = models.TextField(blank=True)
    # Submit minus accept; it includes the time the work lay in the Worker's queue.
    work_time = models.DurationField()

    # The HIT that asks again for what was missing because this answer was rejected.
    asked_again_in = models.ForeignKey(
        HIT, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )

    left_out_at = models.DateTimeField(null=True, blank=True)
    left_out_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    left_out_reason = models.TextField(blank=True)
    # When the transaction began that stored it, by the database's clock; see `exporting.settled_until`.
    collected_at = models.DateTimeField(db_default=TransactionNow())

    objects = AssignmentQuerySet["Assignment"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "mturk_id"], name="assignment_once"),
        ]
        # Each list of the review page, in each of its orders, is a range of one of these.
        indexes = [
            models.Index(fields=["batch", "submitted_at", "id"], name="assignment_by_time"),
            models.Index(fields=["batch", "work_time", "id"], name="assignment_by_work_time"),
            models.Index(fields=["batch", "worker", "submitted_at", "id"], name="assignment_by_worker"),
            models.Index(fields=[*_STATUS, "submitted_at", "id"], name="assignment_status_time"),
            models.Index(fields=[*_STATUS, "work_time", "id"], name="assignment_status_work_time"),
            models.Index(fields=[*_STATUS, "worker", "submitted_at", "id"], name="assignment_status_worker"),
            models.Index(
                fields=["batch", "submitted_at", "id"],
                name="assignment_pending",
                condition=~Q(pending_verdict=""),
            ),
            models.Index(
                fields=["batch", "submitted_at", "id"], name="assignment_left_out_time", condition=_LEFT_OUT
            ),
            models.Index(
                fields=["batch", "work_time", "id"], name="assignment_left_out_work_time", condition=_LEFT_OUT
            ),
            models.Index(
                fields=["batch", "worker", "submitted_at", "id"],
                name="assignment_left_out_worker",
                condition=_LEFT_OUT,
            ),
            models.Index(
                fields=["batch", "-submitted_at", "-id"],
                name="assignment_kept_newest",
                condition=Q(left_out_at__isnull=True),
            ),
            models.Index(
                fields=["batch", "-id"], name="assignment_not_asked_again", condition=NOT_ASKED_AGAIN
            ),
            models.Index(fields=["batch", "collected_at"], name="assignment_collected"),
            models.Index(fields=["batch"], name="assignment_elsewhere", condition=DECIDED_ELSEWHERE),
            models.Index(fields=["batch", "auto_approval_at"], name="assignment_next", condition=_WAITING),
            models.Index(fields=["team", "auto_approval_at"], name="assignment_waiting", condition=_WAITING),
        ]

    def __str__(self) -> str:
        return self.mturk_id


class AssignmentAnswer(models.Model):
    """The answer: MTurk's XML as it came, and the fields read out of it."""

    assignment = models.OneToOneField(
        Assignment, on_delete=models.CASCADE, primary_key=True, related_name="answer"
    )
    raw_xml = models.TextField()
    # Field → list of values, all text. NUL and lone surrogates, which JSONB refuses, are U+FFFD.
    fields = models.JSONField(default=dict)
    # True when a character had to be replaced in `fields`, or the XML could not be read at all.
    is_damaged = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"answer of {self.assignment_id}"

"""Every write on its way to MTurk, and bulk work.

An intention is a committed row that exists before MTurk is called. The HIT, the Decision, the Bonus and the
Operation are intentions; the columns they share stand here.
"""

import uuid

from django.db import models
from django.db.models import Q

from mturkhub.accounts.models import Connection, Team, User
from mturkhub.accounts.querysets import TeamQuerySet
from mturkhub.common.public_ids import new_public_id


class IntentionState(models.TextChoices):
    """How far a write has come. A HIT's `publish_state` says `published` for done."""

    WAITING = "waiting"  # needs a second person
    QUEUED = "queued"
    SENDING = "sending"
    DONE = "done"
    PUBLISHED = "published"
    FAILED = "failed"
    OVERTAKEN = "overtaken"  # MTurk's own state had moved on
    UNKNOWN = "unknown"  # sent, and nobody knows whether it happened
    CANCELLED = "cancelled"


# A target has at most one intention of a family in these.
OPEN_STATES = [
    IntentionState.WAITING.value,
    IntentionState.QUEUED.value,
    IntentionState.SENDING.value,
    IntentionState.UNKNOWN.value,
]


class Intention(models.Model):
    """What every write to MTurk has in common. Each table adds its state, named in STATE_FIELD."""

    STATE_FIELD = "state"
    DONE_STATE = IntentionState.DONE

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="%(class)ss")
    token = models.UUIDField(default=uuid.uuid4, editable=False)
    # Not sent before this time.
    due_at = models.DateTimeField()
    first_sent_at = models.DateTimeField(null=True, blank=True)
    last_sent_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    # What came of it, in a sentence; MTurk's own words and request id after a line break.
    outcome = models.TextField(blank=True)
    # The person, or the rule of the system, that wanted it.
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by_rule = models.CharField(max_length=100, blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        abstract = True


class Operation(Intention):
    """Every other write to MTurk about one thing: more answers, another expiration, deletion.

    The room that knows the thing registers how its kinds are sent; `target_id` is a key of that room's table.
    """

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=40)
    # Wishes that exclude each other, e.g. expiring and deleting one HIT.
    family = models.CharField(max_length=40)
    target_id = models.BigIntegerField()
    # Of whatever lists it: for a HIT the key of its Batch.
    subject_id = models.BigIntegerField()
    # What is wanted, and what was there before, in plain values.
    values = models.JSONField(default=dict)
    state = models.CharField(
        max_length=20, choices=IntentionState.choices, default=IntentionState.QUEUED.value
    )
    # A newer wish than one that is not settled yet: it waits for that.
    is_next = models.BooleanField(default=False, db_default=False)
    # Any number of such wishes may wait, each for the one before it; of others the newest takes the place of the rest.
    adds_up = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TeamQuerySet["Operation"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["family", "target_id"],
                name="one_open_operation",
                condition=Q(state__in=OPEN_STATES, is_next=False),
            ),
            models.UniqueConstraint(
                fields=["family", "target_id"],
                name="one_next_operation",
                condition=Q(state__in=OPEN_STATES, is_next=True, adds_up=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["connection"], name="operation_next", condition=Q(state="queued", is_next=True)
            ),
            models.Index(
                fields=["connection", "due_at", "id"], name="operation_to_send", condition=Q(state="queued")
            ),
            models.Index(
                fields=["connection", "id"],
                name="operation_unsettled",
                condition=Q(state__in=["sending", "unknown"]),
            ),
            # What a page lists, and what the next one for the same thing replaces or waits for.
            models.Index(
                fields=["subject_id", "family", "state"],
                name="operation_unfinished",
                condition=Q(state__in=[*OPEN_STATES, IntentionState.FAILED.value]),
            ),
            models.Index(fields=["target_id", "family", "-id"], name="operation_of_target"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target_id}"


class JobState(models.TextChoices):
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"


class Job(models.Model):
    """Bulk work a person asked for with one click: exactly the targets in its JobItems."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="jobs")
    # Registered by the room that does the work, e.g. "approve_assignments".
    kind = models.CharField(max_length=60)
    # Plain values the work needs, e.g. the feedback.
    arguments = models.JSONField(default=dict, blank=True)
    # What the job is about, by public id, so that its page can link back.
    subject = models.CharField(max_length=100, blank=True)
    title = models.CharField(max_length=200)
    state = models.CharField(max_length=20, choices=JobState.choices, default=JobState.RUNNING.value)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    # The role is looked up again for each chunk: rights taken away stop the job.
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.TextField(blank=True)

    objects = TeamQuerySet["Job"].as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["id"], name="job_unfinished", condition=Q(state="running")),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def passed_over(self) -> list[str]:
        """Why some targets were passed over; the first reasons."""
        outcomes = self.items.exclude(outcome__in=["", "done"]).values_list("outcome", flat=True)
        return list(outcomes.distinct()[:5])


class JobItem(models.Model):
    """One target of a Job and what came of it."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="items")
    target_id = models.BigIntegerField()
    # Empty until done; then "done" or the refusal's sentence.
    outcome = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "target_id"], name="job_item_once"),
        ]
        indexes = [
            models.Index(fields=["job", "id"], name="job_item_waiting", condition=Q(outcome="")),
            models.Index(
                fields=["job", "outcome"], name="job_item_passed_over", condition=~Q(outcome__in=["", "done"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}: {self.target_id}"

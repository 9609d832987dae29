from django.db import models
from django.db.models import Q

from marketplace.identifiers import new_entity_id
from marketplace.models.hit import HIT
from marketplace.models.worker import Worker


class AssignmentState(models.TextChoices):
    """Where a Worker's go at a HIT stands. MTurk shows the middle three only."""

    ACCEPTED = "accepted"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    RETURNED = "returned"
    ABANDONED = "abandoned"


# MTurk's AssignmentStatus of those it shows.
ASSIGNMENT_STATUS = {
    AssignmentState.SUBMITTED.value: "Submitted",
    AssignmentState.APPROVED.value: "Approved",
    AssignmentState.REJECTED.value: "Rejected",
}
# A Worker who is in one of these cannot accept the HIT (again).
TAKEN = [AssignmentState.ACCEPTED, *ASSIGNMENT_STATUS]


class Assignment(models.Model):
    """One Worker's go at a HIT, with a fresh id each time they accept."""

    mturk_id = models.CharField(max_length=64, default=new_entity_id)
    hit = models.ForeignKey(HIT, models.PROTECT, related_name="assignments")
    worker = models.ForeignKey(Worker, models.PROTECT, related_name="assignments", db_index=False)
    state = models.CharField(max_length=10, choices=AssignmentState.choices, default=AssignmentState.ACCEPTED)
    accepted_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    # When it was returned or abandoned.
    ended_at = models.DateTimeField(null=True, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    auto_approval_at = models.DateTimeField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    rejected_at = models.DateTimeField(null=True, blank=True)
    # Approved because nobody decided in time.
    was_auto_approved = models.BooleanField(default=False)
    requester_feedback = models.TextField(blank=True)
    # QuestionFormAnswers XML, as GetAssignment hands it out.
    answer = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mturk_id"], name="assignment_mturk_id"),
            models.UniqueConstraint(
                fields=["hit", "worker"], condition=Q(state__in=TAKEN), name="worker_does_a_hit_once"
            ),
            models.CheckConstraint(
                condition=Q(state=AssignmentState.ACCEPTED, submitted_at=None, ended_at=None)
                | Q(
                    state__in=list(ASSIGNMENT_STATUS),
                    submitted_at__isnull=False,
                    auto_approval_at__isnull=False,
                    ended_at=None,
                )
                | Q(
                    state__in=[AssignmentState.RETURNED, AssignmentState.ABANDONED],
                    submitted_at=None,
                    ended_at__isnull=False,
                ),
                name="assignment_times_fit_its_state",
            ),
            models.CheckConstraint(
                condition=(~Q(state=AssignmentState.APPROVED) | Q(approved_at__isnull=False))
                & (~Q(state=AssignmentState.REJECTED) | Q(rejected_at__isnull=False, approved_at=None)),
                name="assignment_decision_has_its_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["hit", "submitted_at", "id"],
                condition=Q(submitted_at__isnull=False),
                name="assignment_list_by_submit_time",
            ),
            models.Index(fields=["worker", "state", "-id"], name="assignment_of_a_worker"),
            models.Index(
                fields=["deadline_at"],
                condition=Q(state=AssignmentState.ACCEPTED),
                name="assignment_deadline",
            ),
            models.Index(
                fields=["auto_approval_at"],
                condition=Q(state=AssignmentState.SUBMITTED),
                name="assignment_auto_approval",
            ),
        ]

    def __str__(self) -> str:
        return self.mturk_id

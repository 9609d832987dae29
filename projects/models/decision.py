"""What we tell MTurk about pay: approve or reject one Assignment."""

from django.db import models
from django.db.models import Q

from mturkhub.accounts.models import Team
from mturkhub.common.public_ids import new_public_id
from mturkhub.intentions.models import OPEN_STATES, Intention, IntentionState, Job
from projects.models.assignment import Assignment
from projects.querysets import DecisionQuerySet
from projects.states import Verdict


class Decision(Intention):
    """An approval or rejection; sent when the team's grace time is over, so that Undo works."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="decisions")
    state = models.CharField(
        max_length=20, choices=IntentionState.choices, default=IntentionState.QUEUED.value
    )
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    # Approves what MTurk has as rejected: ApproveAssignment with OverrideRejection.
    is_overturn = models.BooleanField(default=False)
    # RequesterFeedback: what the Worker reads, 1,024 characters at most.
    feedback = models.CharField(max_length=1024, blank=True)
    job = models.ForeignKey(Job, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DecisionQuerySet["Decision"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["assignment"], name="one_open_decision", condition=Q(state__in=OPEN_STATES)
            ),
            models.CheckConstraint(
                condition=~Q(verdict=Verdict.REJECT.value) | ~Q(feedback=""), name="rejection_has_a_reason"
            ),
            models.CheckConstraint(
                condition=Q(is_overturn=False) | Q(verdict=Verdict.APPROVE.value), name="overturning_approves"
            ),
        ]
        indexes = [
            models.Index(
                fields=["connection", "due_at", "id"], name="decision_to_send", condition=Q(state="queued")
            ),
            models.Index(
                fields=["connection", "team", "verdict", "due_at", "id"],
                name="decision_in_turn",
                condition=Q(state="queued"),
            ),
            models.Index(
                fields=["connection", "team", "verdict", "due_at", "id"],
                name="decision_clicked",
                condition=Q(state="queued", job__isnull=True),
            ),
            models.Index(
                fields=["connection", "id"],
                name="decision_unsettled",
                condition=Q(state__in=["sending", "unknown"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.assignment_id}"

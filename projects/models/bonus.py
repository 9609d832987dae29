"""What we tell MTurk to pay a Worker on top of the reward."""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import MD5

from mturkhub.accounts.models import Team
from mturkhub.common.public_ids import new_public_id
from mturkhub.intentions.models import OPEN_STATES, Intention, IntentionState
from projects.models.assignment import Assignment
from projects.models.batch import Batch
from projects.querysets import BonusQuerySet

REASON_MAX = 2000


class Bonus(Intention):
    """A bonus for one Assignment. `reason` is what the Worker reads; `amount` is dollars, without the fee."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="bonuses")
    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="bonuses")
    amount = models.DecimalField(
        max_digits=10, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))]
    )
    # With the fee; what of it counts against budgets, and in which month; kept by `projects.spending`.
    price = models.DecimalField(max_digits=12, decimal_places=2, default=0, db_default=0)
    committed = models.DecimalField(max_digits=12, decimal_places=2, default=0, db_default=0)
    paid = models.DecimalField(max_digits=12, decimal_places=2, default=0, db_default=0)
    reserved_on = models.DateField(null=True, blank=True)
    state = models.CharField(
        max_length=20, choices=IntentionState.choices, default=IntentionState.QUEUED.value
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BonusQuerySet["Bonus"].as_manager()

    class Meta:
        verbose_name_plural = "bonuses"
        constraints = [
            # Two equal ones under way could not be told apart afterwards.
            models.UniqueConstraint(
                "assignment",
                "amount",
                MD5("reason"),
                name="one_open_bonus",
                condition=Q(state__in=OPEN_STATES),
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="bonus_has_a_reason"),
        ]
        indexes = [
            models.Index(
                fields=["connection", "due_at", "id"], name="bonus_to_send", condition=Q(state="queued")
            ),
            models.Index(
                fields=["connection", "id"],
                name="bonus_unsettled",
                condition=Q(state__in=["sending", "unknown"]),
            ),
        ]

    def __str__(self) -> str:
        return f"${self.amount} for {self.assignment_id}"

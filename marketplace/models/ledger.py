from django.db import models
from django.db.models import F, Q

from marketplace.models.assignment import Assignment
from marketplace.models.hit import HIT
from marketplace.models.requester import Requester


class Account(models.TextChoices):
    """Where a requester's dollars can be."""

    OUTSIDE = "outside"
    AVAILABLE = "available"
    HELD = "held"
    WORKERS = "workers"
    FEES = "fees"


class Balance(models.Model):
    """What a requester's ledger adds up to. Locked last in every transaction, and for one statement only."""

    requester = models.OneToOneField(Requester, models.PROTECT, primary_key=True, related_name="balance")
    available = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    held = models.DecimalField(max_digits=14, decimal_places=2, default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(available__gte=0, held__gte=0), name="nothing_is_overdrawn")
        ]

    def __str__(self) -> str:
        return f"{self.available} available, {self.held} held"


class LedgerEntry(models.Model):
    """Dollars that moved from one account to another: a double entry in one row. Append-only."""

    requester = models.ForeignKey(Requester, models.PROTECT, related_name="ledger_entries", db_index=False)
    source = models.CharField(max_length=10, choices=Account.choices)
    target = models.CharField(max_length=10, choices=Account.choices)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    hit = models.ForeignKey(
        HIT, models.PROTECT, null=True, blank=True, related_name="ledger_entries", db_index=False
    )
    assignment = models.ForeignKey(
        Assignment, models.PROTECT, null=True, blank=True, related_name="ledger_entries"
    )
    posted_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="ledger_amount_is_positive"),
            models.CheckConstraint(condition=~Q(source=F("target")), name="ledger_entry_moves_something"),
        ]
        indexes = [models.Index(fields=["requester", "-id"], name="ledger_newest_first")]

    def __str__(self) -> str:
        return f"{self.amount} from {self.source} to {self.target}"

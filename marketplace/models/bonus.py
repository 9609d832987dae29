from django.db import models
from django.db.models import Q

from marketplace.models.assignment import Assignment


class Bonus(models.Model):
    """Extra pay for work that was submitted. It cannot be taken back."""

    assignment = models.ForeignKey(Assignment, models.PROTECT, related_name="bonuses")
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    fee = models.DecimalField(max_digits=14, decimal_places=2)
    reason = models.TextField()
    granted_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "bonuses"
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0, fee__gte=0), name="bonus_is_above_zero")
        ]

    def __str__(self) -> str:
        return f"{self.amount} for {self.assignment}"

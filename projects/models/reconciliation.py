"""What a market's balance was, is, and should be by our ledger."""

from decimal import Decimal

from django.db import models

from mturkhub.accounts.models import Connection


class Reconciliation(models.Model):
    """The newest reading of a Connection's balance, and what all teams together had moved by then. In dollars.

    Written by `projects.reconciling` alone; all of it was true at `read_at`.
    """

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="reconciliation")
    # What it was before anything was spent here: the first reading and what had been held and paid here by then.
    opening = models.DecimalField(max_digits=14, decimal_places=2)
    opened_at = models.DateTimeField()

    balance = models.DecimalField(max_digits=14, decimal_places=2)
    read_at = models.DateTimeField()
    # Held as far as the market has confirmed it.
    held = models.DecimalField(max_digits=14, decimal_places=2)
    paid = models.DecimalField(max_digits=14, decimal_places=2)
    # Committed here, and queued, or sent without an answer yet.
    on_its_way = models.DecimalField(max_digits=14, decimal_places=2)

    def __str__(self) -> str:
        return f"{self.balance}, {self.not_ours} of it not ours"

    @property
    def minus_held(self) -> Decimal:
        return -self.held

    @property
    def minus_paid(self) -> Decimal:
        return -self.paid

    @property
    def expected(self) -> Decimal:
        return self.opening - self.held - self.paid

    @property
    def not_ours(self) -> Decimal:
        """What our ledger does not explain: deposits if above zero, spending elsewhere if below."""
        return self.balance - self.expected

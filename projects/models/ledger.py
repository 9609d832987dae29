"""The ledger: every cent that was held, released or paid, with who and why. Written once, never changed."""

from django.db import models
from django.db.models import Q

from mturkhub.accounts.models import Connection, Team, User
from mturkhub.accounts.querysets import TeamQuerySet
from mturkhub.workers.models import Worker
from projects.models.assignment import Assignment
from projects.models.batch import Batch
from projects.models.bonus import Bonus
from projects.models.hit import HIT


class LedgerKind(models.TextChoices):
    HELD = "held", "Held"
    RELEASED = "released", "Released"
    PAID = "paid", "Paid"


class LedgerReason(models.TextChoices):
    """Why money was held, released or paid, as the page says it."""

    # Held.
    PUBLISHED = "published", "published"
    ASKED_AGAIN = "asked_again", "asked again for missing answers"
    MORE_ANSWERS = "more_answers", "more answers asked for"
    OPENED_AGAIN = "opened_again", "opened again"
    TRIED_AGAIN = "tried_again", "tried again"
    FOUND = "found", "the market has more places"
    ADOPTED = "adopted", "made elsewhere, and adopted"
    # Held for an answer, then paid.
    OVERTURNED = "overturned", "rejection overturned"
    # Released.
    REFUSED = "refused", "refused by the market"
    CANCELLED = "cancelled", "cancelled before it was sent"
    UNUSED = "unused", "over, and nobody answered"
    CHANGE_REFUSED = "change_refused", "the change did not happen"
    REJECTED = "rejected", "answer rejected"
    NOT_OVERTURNED = "not_overturned", "rejection stands"
    # Paid.
    APPROVED = "approved", "answer approved"
    APPROVED_BY_TIME = "approved_by_time", "approved by time"
    DECIDED_ELSEWHERE = "decided_elsewhere", "decided elsewhere"
    # Any of the three.
    BONUS = "bonus", "bonus"


class LedgerEntry(models.Model):
    """Dollars that were held, released or paid. What is held now is held − released − paid.

    Written by `projects.spending`, `projects.queueing` and `projects.budgets`, in the statement that changes what is
    committed or paid. The database refuses to change or delete one: a correction is a further entry, which is why
    `paid` may be negative.
    """

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+", db_index=False)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+", db_index=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    # What it is about, where that is one thing: publishing is one entry, however many HITs.
    hit = models.ForeignKey(
        HIT, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    assignment = models.ForeignKey(
        Assignment, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    bonus = models.ForeignKey(
        Bonus, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    worker = models.ForeignKey(
        Worker, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=10, choices=LedgerKind.choices)
    # With the market's fee; how much of it is fee; for how many answers, none for a bonus.
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    fee = models.DecimalField(max_digits=14, decimal_places=2)
    answers = models.IntegerField()
    reason = models.CharField(max_length=20, choices=LedgerReason.choices)
    at = models.DateTimeField()
    by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    by_rule = models.CharField(max_length=100, blank=True)

    objects = TeamQuerySet["LedgerEntry"].as_manager()

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0) | Q(kind=LedgerKind.PAID.value, amount__lt=0),
                name="ledger_amount_has_its_sign",
            ),
            models.CheckConstraint(
                condition=Q(by__isnull=False) | ~Q(by_rule=""), name="ledger_entry_has_an_actor"
            ),
        ]
        # Each filter of the page is a range of one of these.
        indexes = [
            models.Index(fields=["team", "-at", "-id"], name="ledger_newest"),
            models.Index(fields=["batch", "-at", "-id"], name="ledger_of_batch"),
            models.Index(fields=["connection", "team", "-at", "-id"], name="ledger_of_connection"),
            models.Index(fields=["team", "kind", "-at", "-id"], name="ledger_of_kind"),
            models.Index(fields=["team", "by", "-at", "-id"], name="ledger_of_person"),
            # What an answer has cost so far, without its bonuses.
            models.Index(
                fields=["assignment"],
                name="ledger_of_answer",
                condition=Q(assignment__isnull=False, bonus__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} ${self.amount}: {self.reason}"

"""How much may be spent, by whom and on what."""

from datetime import date
from decimal import Decimal
from functools import reduce
from operator import or_

from django.db import models
from django.db.models import Q

from mturkhub.accounts.models import Team, User
from mturkhub.accounts.querysets import TeamQuerySet
from mturkhub.common.public_ids import new_public_id
from projects.models.batch import Batch
from projects.models.project import Project

# From when a budget without a period counts.
ALWAYS = date(1970, 1, 1)


class BudgetScope(models.TextChoices):
    """Whose spending is limited, in the order in which budgets are locked."""

    TEAM = "team", "The whole team"
    PERSON = "person", "One person"
    PROJECT = "project", "One project"
    BATCH = "batch", "One batch"


class BudgetPeriod(models.TextChoices):
    NONE = "none", "in all"
    MONTH = "month", "each calendar month"


_TARGETS = ("person", "project", "batch")


def _names_its_target() -> Q:
    """Each scope names its own kind of target and no other."""
    each = []
    for scope in BudgetScope.values:
        named = {f"{target}__isnull": target != scope for target in _TARGETS}
        each.append(Q(scope=scope, **named))
    return reduce(or_, each)


class Budget(models.Model):
    """A limit in dollars, fees included. What counts against it stands in its BudgetSpends."""

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="budgets")
    scope = models.CharField(max_length=10, choices=BudgetScope.choices)
    person = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    period = models.CharField(max_length=10, choices=BudgetPeriod.choices, default=BudgetPeriod.NONE.value)
    limit = models.DecimalField(max_digits=12, decimal_places=2)
    set_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField(auto_now=True)

    objects = TeamQuerySet["Budget"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "scope", "person", "project", "batch", "period"],
                nulls_distinct=False,
                name="budget_once",
            ),
            models.CheckConstraint(condition=_names_its_target(), name="budget_names_its_target"),
            models.CheckConstraint(condition=Q(limit__gte=0), name="budget_limit_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.whose} {self.get_period_display()}"

    @property
    def whose(self) -> str:
        """What it limits, by name."""
        return str(self.person or self.project or self.batch or self.get_scope_display())


class BudgetSpend(models.Model):
    """What counts against a Budget from a day on: the first of a month, or ALWAYS. In dollars, fees included.

    Written by `projects.budgets` alone, in the transaction that changes what it counts.
    """

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="spends")
    begins_on = models.DateField()
    # Promised to HITs whose slots can still be used, or whose answers wait for a decision.
    committed = models.DecimalField(max_digits=14, decimal_places=2, default=Decimal("0.00"))
    # For approved answers.
    paid = models.DecimalField(max_digits=14, decimal_places=2, default=Decimal("0.00"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["budget", "begins_on"], name="budget_spend_once"),
        ]

    def __str__(self) -> str:
        return f"{self.committed} committed, {self.paid} paid since {self.begins_on}"

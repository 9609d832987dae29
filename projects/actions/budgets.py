"""What an owner can ask of budgets: set one, and take it away."""

from decimal import Decimal
from typing import Any

from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Team, User
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from projects import budgets
from projects.models import Batch, Budget, BudgetPeriod, BudgetScope, Project


def set_budget(
    team: Team,
    *,
    by: Actor,
    limit: Decimal,
    period: BudgetPeriod,
    target: User | Project | Batch | None = None,
) -> Budget:
    """Limit what may be spent from now on by the team, or by one person, on one project or batch: dollars, fees included.

    What is committed or paid already counts. A limit below that stops everything new and takes nothing back.
    """
    check_can(by, Permission.BUDGET_SET, team)
    if limit < 0:
        raise ActionRefused(
            "A budget cannot be negative. Write the dollars that may be spent, 0 for none.", status=400
        )
    scope, named = _scope_of(team, target)
    if by.user is None:
        raise ActionRefused("A budget is set by a person. Sign in, then set it.", status=403)
    with transaction.atomic():
        # Whoever reserves holds this row shared, so that nothing is reserved between the sums and the commit.
        Team.objects.select_for_update(no_key=True).get(pk=team.pk)
        budget, is_new = Budget.objects.update_or_create(
            team=team, scope=scope, period=period, **named, defaults={"limit": limit, "set_by": by.user}
        )
        budgets.begin(budget, now=clock.now())
        verb = "budget.set" if is_new else "budget.changed"
        record(by, verb, budget, team_id=team.pk, limit=str(limit))
    return budget


def _scope_of(team: Team, target: User | Project | Batch | None) -> tuple[BudgetScope, dict[str, Any]]:
    if target is None:
        return BudgetScope.TEAM, {"person": None, "project": None, "batch": None}
    for scope, kind in (
        (BudgetScope.PERSON, User),
        (BudgetScope.PROJECT, Project),
        (BudgetScope.BATCH, Batch),
    ):
        if isinstance(target, kind):
            return scope, {name: target if name == scope else None for name in ("person", "project", "batch")}
    raise TypeError(f"No budget for {target!r}")


def remove_budget(budget: Budget, *, by: Actor) -> None:
    """Limit this no longer; what was spent stays as it is."""
    check_can(by, Permission.BUDGET_SET, budget.team_id)
    with transaction.atomic():
        record(by, "budget.removed", budget, team_id=budget.team_id)
        budget.delete()

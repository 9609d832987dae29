"""Money: budgets, what is free on each connection and how long it lasts, and which batches hold or have cost how much."""

import uuid
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.db.models import Q, Sum
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.models import Team
from mturkhub.accounts.permissions import Permission, can, check_can, refusal
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from projects.actions.budgets import remove_budget as remove
from projects.actions.budgets import set_budget
from projects.budgets import Room, month_of, rooms_in
from projects.forecasting import forecasts
from projects.forms.money import BudgetForm
from projects.models import Batch, Budget
from projects.reconciling import reconciled

# Batches in the list, those that hold most first.
BATCHES = 50


@require_http_methods(["GET", "HEAD", "POST"])
def money(request: TeamRequest) -> HttpResponse:
    """The page; POST sets a budget, and a form that is refused comes back with what was typed."""
    team = team_of(request)
    if request.method != "POST":
        return _page(request, BudgetForm(team=team))
    check_can(request.actor, Permission.BUDGET_SET, team)
    form = BudgetForm(request.POST, team=team)
    if form.is_valid():
        try:
            budget = set_budget(team, by=request.actor, **form.cleaned_data)
        except ActionRefused as refused:
            form.add_error(None, refused.sentence)
        else:
            messages.success(
                request, f"{budget.whose} may spend ${budget.limit:,.2f} {budget.get_period_display()}."
            )
            return redirect("projects:money")
    return _page(request, form)


@require_POST
def remove_budget(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    budget = get_object_or_404(
        Budget.objects.for_actor(request.actor).select_related("person", "project", "batch"),
        public_id=public_id,
    )
    remove(budget, by=request.actor)
    messages.success(request, f"{budget.whose} has no budget any more.")
    return redirect("projects:money")


def team_of(request: TeamRequest) -> Team:
    if request.team is None:
        raise Http404
    return request.team


def _page(request: TeamRequest, form: BudgetForm) -> HttpResponse:
    actor, team = request.actor, team_of(request)
    batches = Batch.objects.for_actor(actor).filter(team=team)
    sums = batches.aggregate(committed=Sum("committed"), paid=Sum("paid"))
    budgets = Budget.objects.for_actor(actor).filter(team=team).select_related("person", "project", "batch")
    context = {
        "nav": "money",
        "form": form,
        "committed": sums["committed"] or Decimal(0),
        "paid": sums["paid"] or Decimal(0),
        "budgets": [
            _bar(room)
            for room in rooms_in(list(budgets.order_by("scope", "pk")), month=month_of(team, clock.now()))
        ],
        "connections": forecasts(actor, team),
        "reconciled": reconciled(actor),
        "batches": (
            batches.filter(Q(committed__gt=0) | Q(paid__gt=0))
            .select_related("connection", "project")
            .order_by("-committed", "-pk")[:BATCHES]
        ),
        "may_set": can(actor, Permission.BUDGET_SET, team),
        "why_not": refusal(actor, Permission.BUDGET_SET, team),
    }
    return render(request, "projects/money.html", context, status=400 if form.errors else 200)


def _bar(room: Room) -> dict[str, Any]:
    """A budget's paid and held parts of a hundred; what is over the limit fills the bar."""
    whole = max(room.budget.limit, room.committed + room.paid)
    paid, held = (100 * each / whole if whole else Decimal(0) for each in (room.paid, room.committed))
    return {
        "room": room,
        "bar": [
            {"tone": "green", "x": Decimal(0), "width": paid, "count": f"${room.paid:,.2f}", "words": "paid"},
            {"tone": "blue", "x": paid, "width": held, "count": f"${room.committed:,.2f}", "words": "held"},
        ],
    }

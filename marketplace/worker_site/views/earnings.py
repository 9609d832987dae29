"""What a Worker has earned, bonuses too, what waits, and what was rejected and why."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.contrib.auth.decorators import login_required
from django.db.models import Count, DurationField, F, Max, Q, Sum, Value
from django.db.models.functions import TruncDate
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from marketplace import clock, lifecycle
from marketplace.models import Bonus, Worker
from marketplace.models.assignment import AssignmentState
from marketplace.worker_site.requests import WorkerRequest

# As far back as MTurk's own page goes.
DAYS_SHOWN = 45
REJECTIONS_SHOWN = 50
BONUSES_SHOWN = 50
# A requester can overturn a rejection this long after the answer was sent.
OVERTURNED_WITHIN = timedelta(days=30)

_IS = {
    "approved": Q(state=AssignmentState.APPROVED),
    "waiting": Q(state=AssignmentState.SUBMITTED),
    "rejected": Q(state=AssignmentState.REJECTED),
}


@dataclass
class Day:
    """What one day brought: answers by when they were sent, bonuses by when they were granted."""

    day: date
    sent: int = 0
    rewards: Decimal | None = None
    approved_count: int = 0
    waiting_count: int = 0
    rejected_count: int = 0
    bonuses: Decimal | None = None

    @property
    def earned(self) -> Decimal:
        return (self.rewards or Decimal(0)) + (self.bonuses or Decimal(0))


@require_GET
@login_required
def earnings(request: WorkerRequest) -> HttpResponse:
    """Owed and waiting in all, each of the last 45 days, bonuses and rejections in the requesters' words."""
    lifecycle.apply_due()
    now = clock.now()
    sent = request.user.assignments.filter(submitted_at__isnull=False)
    reward = "hit__hit_type__reward"
    totals = sent.aggregate(
        waiting=Sum(reward, filter=_IS["waiting"]),
        latest_decision=Max("auto_approval_at", filter=_IS["waiting"]),
        approved_count=Count("pk", filter=_IS["approved"]),
        waiting_count=Count("pk", filter=_IS["waiting"]),
        rejected_count=Count("pk", filter=_IS["rejected"]),
    )
    rejections = (
        sent.filter(state=AssignmentState.REJECTED)
        .annotate(changeable_until=F("submitted_at") + Value(OVERTURNED_WITHIN, DurationField()))
        .select_related("hit__hit_type__requester")
        .order_by("-rejected_at")[:REJECTIONS_SHOWN]
    )
    bonuses = (
        Bonus.objects.filter(assignment__worker=request.user)
        .select_related("assignment__hit__hit_type__requester")
        .order_by("-pk")[:BONUSES_SHOWN]
    )
    return render(
        request,
        "earnings.html",
        {
            "totals": totals,
            "days": _days(request.user, since=now - timedelta(days=DAYS_SHOWN)),
            "bonuses": bonuses,
            "rejections": rejections,
            "nav": "earnings",
        },
    )


def _days(worker: Worker, *, since: datetime) -> Iterable[Day]:
    sent = (
        worker.assignments.filter(submitted_at__gte=since)
        .annotate(day=TruncDate("submitted_at"))
        .values("day")
        .annotate(
            sent=Count("pk"),
            rewards=Sum("hit__hit_type__reward", filter=_IS["approved"]),
            **{f"{name}_count": Count("pk", filter=condition) for name, condition in _IS.items()},
        )
        .order_by()
    )
    days = {row["day"]: Day(**row) for row in sent}
    bonuses = (
        Bonus.objects.filter(assignment__worker=worker, granted_at__gte=since)
        .annotate(day=TruncDate("granted_at"))
        .values_list("day")
        .annotate(sum=Sum("amount"))
        .order_by()
    )
    for day, dollars in bonuses:
        days.setdefault(day, Day(day)).bonuses = dollars
    return sorted(days.values(), key=lambda each: each.day, reverse=True)

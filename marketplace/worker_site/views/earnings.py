"""What a Worker has earned, what waits, and what was rejected and why."""

from datetime import timedelta

from django.contrib.auth.decorators import login_required
from django.db.models import Count, DurationField, F, Max, Q, Sum, Value
from django.db.models.functions import TruncDate
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from marketplace import clock, lifecycle
from marketplace.models.assignment import AssignmentState
from marketplace.worker_site.requests import WorkerRequest

# As far back as MTurk's own page goes.
DAYS_SHOWN = 45
REJECTIONS_SHOWN = 50
# A requester can overturn a rejection this long after the answer was sent.
OVERTURNED_WITHIN = timedelta(days=30)

_IS = {
    "approved": Q(state=AssignmentState.APPROVED),
    "waiting": Q(state=AssignmentState.SUBMITTED),
    "rejected": Q(state=AssignmentState.REJECTED),
}


@require_GET
@login_required
def earnings(request: WorkerRequest) -> HttpResponse:
    """Owed and waiting in all, each of the last 45 days, and the rejections in the requesters' words."""
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
    days = (
        sent.filter(submitted_at__gte=now - timedelta(days=DAYS_SHOWN))
        .annotate(day=TruncDate("submitted_at"))
        .values("day")
        .annotate(
            sent=Count("pk"),
            earned=Sum(reward, filter=_IS["approved"]),
            **{f"{name}_count": Count("pk", filter=condition) for name, condition in _IS.items()},
        )
        .order_by("-day")
    )
    rejections = (
        sent.filter(state=AssignmentState.REJECTED)
        .annotate(changeable_until=F("submitted_at") + Value(OVERTURNED_WITHIN, DurationField()))
        .select_related("hit__hit_type__requester")
        .order_by("-rejected_at")[:REJECTIONS_SHOWN]
    )
    return render(
        request,
        "earnings.html",
        {"totals": totals, "days": days, "rejections": rejections, "nav": "earnings"},
    )

"""Who did what in the whole team: filtered, page by page, and as CSV."""

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from mturkhub.accounts.actors import TeamRequest
from projects.activity import BY_RULE, ActivityFilter, activity_csv, kinds, people, told
from projects.filters import page_of
from projects.models import Batch

# In the list to choose from; any other one is reached from its own Activity tab.
NEWEST_BATCHES = 100


@require_safe
def activity(request: TeamRequest) -> HttpResponse:
    chosen = ActivityFilter.read(request.GET)
    page = page_of(chosen.apply(request.actor), request.GET.get("at", ""))
    context = {
        "nav": "activity",
        "filter": chosen,
        "page": page,
        "told": told(page.items),
        "people": people(request.actor),
        "by_rule": BY_RULE,
        "kinds": kinds(),
        "batches": _batches(request, chosen),
        "query": chosen.query(),
        "newer": chosen.query(at=page.newer) if page.newer else "",
        "older": chosen.query(at=page.older) if page.older else "",
    }
    return render(request, "projects/activity.html", context)


def _batches(request: TeamRequest, chosen: ActivityFilter) -> list[Batch]:
    ours = Batch.objects.for_actor(request.actor)
    found = list(ours.order_by("-pk")[:NEWEST_BATCHES])
    if chosen.batch and chosen.batch not in {str(batch.public_id) for batch in found}:
        found += ours.filter(public_id=chosen.batch)
    return found


@require_safe
def download_activity(request: TeamRequest) -> StreamingHttpResponse:
    """All that the filter matches, on however many pages it stands."""
    events = ActivityFilter.read(request.GET).apply(request.actor)
    response = StreamingHttpResponse(activity_csv(events), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="activity.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response

"""The ledger: every cent that was held, released or paid; filtered, page by page, and as CSV."""

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.models import Connection
from mturkhub.accounts.permissions import Permission, check_can
from projects.filters import page_of
from projects.ledger import (
    BY_RULE,
    LedgerFilter,
    ledger_csv,
    people,
    sums_of,
    told,
    with_what_they_name,
)
from projects.models import Batch, LedgerKind
from projects.reconciling import reconciled
from projects.views.money import team_of

# In the list to choose from; any other one is reached from its own page.
NEWEST_BATCHES = 100


@require_safe
def ledger(request: TeamRequest) -> HttpResponse:
    actor, team = request.actor, team_of(request)
    chosen = LedgerFilter.read(request.GET)
    sums = sums_of(chosen, team, actor)
    entries = with_what_they_name(chosen.apply(team, actor))
    page = page_of(entries, request.GET.get("at", ""), total=sums.entries)
    context = {
        "nav": "money",
        "filter": chosen,
        "page": page,
        "sums": sums,
        "told": told(page.items, team, actor),
        "reconciled": [each for each in reconciled(actor) if str(each.public_id) == chosen.connection],
        "kinds": LedgerKind.choices,
        "people": people(team),
        "by_rule": BY_RULE,
        "batches": _batches(request, chosen),
        "connections": Connection.objects.for_actor(actor).order_by("environment", "name"),
        "query": chosen.query(),
        "newer": chosen.query(at=page.newer) if page.newer else "",
        "older": chosen.query(at=page.older) if page.older else "",
    }
    return render(request, "projects/ledger.html", context)


def _batches(request: TeamRequest, chosen: LedgerFilter) -> list[Batch]:
    ours = Batch.objects.for_actor(request.actor).exclude(published_at=None)
    found = list(ours.order_by("-pk")[:NEWEST_BATCHES])
    if chosen.batch and chosen.batch not in {str(batch.public_id) for batch in found}:
        found += ours.filter(public_id=chosen.batch)
    return found


@require_safe
def download_ledger(request: TeamRequest) -> StreamingHttpResponse:
    """All that the filter matches, on however many pages it stands."""
    actor, team = request.actor, team_of(request)
    check_can(actor, Permission.RESULTS_EXPORT, team)
    entries = LedgerFilter.read(request.GET).apply(team, actor)
    response = StreamingHttpResponse(ledger_csv(entries, team, actor), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="ledger.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response

"""The list of groups, and the preview of one."""

from urllib.parse import urlencode

from csp.decorators import csp_update
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET

from marketplace import lifecycle
from marketplace.models import HIT, HITType
from marketplace.models.assignment import AssignmentState
from marketplace.qualified import Record
from marketplace.worker_site.finding import (
    Group,
    Order,
    find_groups,
    for_page,
    free_hits,
    median_times,
)
from marketplace.worker_site.questions import question_for
from marketplace.worker_site.requests import worker_of

GROUPS_A_PAGE = 25


@require_GET
def groups(request: HttpRequest) -> HttpResponse:
    """Groups with work left, best paid by the hour first."""
    lifecycle.apply_due()
    asked = request.GET.get("sort", "")
    order = Order(asked) if asked in list(Order) else Order.WAGE
    search = request.GET.get("q", "").strip()[:200]
    record = Record(worker_of(request))
    found = find_groups(record, search=search, order=order)
    page = Paginator(found, GROUPS_A_PAGE).get_page(request.GET.get("page"))
    page.object_list = for_page(list(page), record)
    return render(
        request,
        "groups.html",
        {"page": page, "search": search, "order": order, "orders": list(Order), "nav": "groups"},
    )


@require_GET
def preview_redirect(request: HttpRequest) -> HttpResponse:
    """`/mturk/preview?groupId=…`, as MTurk's links have it, with a HITGroupId or a HITTypeId; `hitId` may name a HIT."""
    asked = request.GET.get("groupId", "")
    group = HITType.objects.filter(group_mturk_id=asked).first()
    group = group or HITType.objects.filter(mturk_id=asked).first()
    if group is None:
        raise Http404
    hit = request.GET.get("hitId", "")
    return redirect(group.get_absolute_url() + (f"?{urlencode({'hit': hit})}" if hit else ""))


@require_GET
def preview(request: HttpRequest, group: str) -> HttpResponseBase:
    """One HIT of the group as it looks before accepting."""
    lifecycle.apply_due()
    hit_type = get_object_or_404(HITType.objects.select_related("requester"), group_mturk_id=group)
    worker = worker_of(request)
    record = Record(worker)
    free = free_hits(worker).filter(hit_type=hit_type)
    if not record.may("discover", hit_type.qualification_requirements):
        # Whoever has worked here knows of it anyhow, and comes back from their last HIT.
        if worker is None or not worker.assignments.filter(hit__hit_type=hit_type).exists():
            raise Http404
        free = free.none()
    hit = free.filter(mturk_id=request.GET.get("hit", "")).first() or free.order_by("pk").first()
    held = None
    if worker:
        held = (
            worker.assignments.filter(hit__hit_type=hit_type, state=AssignmentState.ACCEPTED)
            .order_by("pk")
            .first()
        )
    median = median_times([hit_type.pk]).get(hit_type.pk)
    [shown] = for_page([Group(hit_type, 0, hit_type.created_at, median)], record)
    question = question_for(hit) if hit and shown.may_preview else None
    response = render(
        request,
        "preview.html",
        {
            "group": shown,
            "hit_type": hit_type,
            "hit": hit,
            "held": held,
            "question": question,
            "has_hits": hit is not None or HIT.objects.filter(hit_type=hit_type).exists(),
            "nav": "groups",
        },
    )
    return allow(request, response, question.sources if question else {})


def allow(request: HttpRequest, response: HttpResponse, sources: dict[str, list[str]]) -> HttpResponseBase:
    """The response with its policy letting it load from these origins, by directive."""
    # A decorator, which knows its origins beforehand, applied to a page that has just learnt its own.
    return csp_update(sources)(lambda _: response)(request) if sources else response

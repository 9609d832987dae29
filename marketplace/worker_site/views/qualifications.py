"""What a Worker holds, has asked for and can ask for, and the tests."""

from math import ceil

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from marketplace import clock, granting
from marketplace.lifecycle import Refused
from marketplace.models import QualificationRequest, QualificationType
from marketplace.models.qualification import OPEN, RequestState
from marketplace.question_form import read_question_form
from marketplace.worker_site.requests import WorkerRequest
from marketplace.worker_site.sheets import Sheet, blank_sheet, read_sheet
from marketplace.worker_site.views.finding import allow

TYPES_A_PAGE = 25
REQUESTS_SHOWN = 20


@require_GET
@login_required
def qualifications(request: WorkerRequest) -> HttpResponse:
    """What the Worker holds, what they asked for, and what else there is."""
    worker = request.user
    search = request.GET.get("q", "").strip()[:200]
    held = worker.qualifications.select_related("qualification_type__requester").order_by("-granted_at")
    asked = worker.qualification_requests.select_related("qualification_type__requester").order_by("-id")
    others = (
        QualificationType.objects.requestable()
        .exclude(qualifications__in=worker.qualifications.filter(revoked_at=None))
        .exclude(requests__in=worker.qualification_requests.filter(state__in=OPEN))
        .select_related("requester")
        .order_by("-id")
    )
    for word in search.split():
        others = others.filter(
            Q(name__icontains=word) | Q(keywords__icontains=word) | Q(description__icontains=word)
        )
    return render(
        request,
        "qualifications.html",
        {
            "held": held,
            "asked": asked[:REQUESTS_SHOWN],
            "page": Paginator(others, TYPES_A_PAGE).get_page(request.GET.get("page")),
            "search": search,
            "now": clock.now(),
            "nav": "qualifications",
        },
    )


@require_GET
@login_required
def qualification(request: WorkerRequest, type_id: str) -> HttpResponse:
    """One type: what it is, what the Worker has of it, and how to ask for it."""
    worker, now = request.user, clock.now()
    kind = get_object_or_404(QualificationType.objects.select_related("requester"), mturk_id=type_id)
    held = kind.qualifications.filter(worker=worker).first()
    latest = granting.latest_request(kind, worker)
    refusal = granting.why_not_ask(kind, worker, now)
    # Nobody hears of a type that is not offered, unless they had to do with it.
    if refusal and refusal.code == "not_requestable" and held is None and latest is None:
        raise Http404
    return render(
        request,
        "qualification.html",
        {
            "kind": kind,
            "held": held,
            "latest": latest,
            "refusal": refusal,
            "is_testing": _is_testing(latest),
            "nav": "qualifications",
        },
    )


@require_POST
@login_required
def ask(request: WorkerRequest, type_id: str) -> HttpResponse:
    """Ask for a Qualification: it is granted, waits for the requester, or begins with a test."""
    try:
        asked = granting.ask(type_id, request.user)
    except Refused as refusal:
        messages.error(request, str(refusal.sentence))
        exists = QualificationType.objects.requestable().filter(mturk_id=type_id).exists()
        return (
            redirect("worker_site:qualification", type_id)
            if exists
            else redirect("worker_site:qualifications")
        )
    return redirect(asked)


@require_http_methods(["GET", "POST"])
@login_required
def qualification_request(request: WorkerRequest, request_id: str) -> HttpResponseBase:
    """The test while it runs, and what became of the request after."""
    asked = get_object_or_404(
        request.user.qualification_requests.select_related("qualification_type__requester"),
        mturk_id=request_id,
    )
    if not _is_testing(asked):
        if request.method == "POST":
            return _submit(request, asked, None)
        context = {"asked": asked, "is_lapsed": asked.is_lapsed(clock.now()), "nav": "qualifications"}
        return render(request, "qualification_request.html", context)
    form = read_question_form(asked.test)
    if request.method == "GET":
        return _test_page(request, asked, blank_sheet(form))
    sheet = read_sheet(form, request.POST)
    return _submit(request, asked, sheet) if sheet.is_complete else _test_page(request, asked, sheet, 400)


def _is_testing(asked: QualificationRequest | None) -> bool:
    return asked is not None and asked.state == RequestState.TESTING and not asked.is_lapsed(clock.now())


def _submit(request: WorkerRequest, asked: QualificationRequest, sheet: Sheet | None) -> HttpResponse:
    try:
        granting.submit_test(asked.mturk_id, request.user, sheet.answers() if sheet else [])
    except Refused as refusal:
        messages.error(request, str(refusal.sentence))
    else:
        messages.success(request, _("Sent. Your test is submitted."))
    return redirect(asked)


def _test_page(
    request: WorkerRequest, asked: QualificationRequest, sheet: Sheet, status: int = 200
) -> HttpResponseBase:
    left = asked.deadline_at - clock.now() if asked.deadline_at else None
    response = render(
        request,
        "qualification_test.html",
        {
            "asked": asked,
            "kind": asked.qualification_type,
            "sheet": sheet,
            # Rounded up, so that the page asks what became of it when it is over here too.
            "seconds_left": max(0, ceil(left.total_seconds())) if left else 0,
            "nav": "qualifications",
        },
        status=status,
    )
    return allow(request, response, sheet.form.sources)

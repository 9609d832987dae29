"""The operator's page, and what its buttons do. A secret is in one answer, and nowhere afterwards."""

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Max, Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from marketplace import requesters
from marketplace.models import AccessKey, Notification, Requester
from marketplace.operator_site import signing_in
from marketplace.operator_site.forms import DepositForm, RequesterForm
from marketplace.operator_site.signing_in import for_the_operator

MESSAGES_A_PAGE = 25


@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest, token: str) -> HttpResponse:
    """Ask first, so that whatever merely looks at links does not use this one up."""
    if request.method == "POST" and signing_in.sign_in(request, token):
        return redirect("operator_site:overview")
    if not signing_in.is_good(token):
        return render(request, "operator/refused.html", {"link_is_used": True}, status=403)
    response = render(request, "operator/sign_in.html")
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Leave the operator's page; whoever is signed in as a Worker stays so."""
    signing_in.sign_out(request)
    return redirect("worker_site:groups")


@require_GET
@for_the_operator
def overview(request: HttpRequest) -> HttpResponse:
    """Every requester with balance and keys, and what could not be delivered."""
    return _overview(request)


@require_POST
@for_the_operator
def add_requester(request: HttpRequest) -> HttpResponse:
    """Make a requester and show its first key."""
    form = RequesterForm(request.POST)
    if not form.is_valid():
        return _overview(request, status=400, form=form)
    requester, keys = requesters.ensure_requester(form.cleaned_data["name"])
    return _overview(request, shown=keys, of=requester)


@require_POST
@for_the_operator
def deposit(request: HttpRequest, requester_id: str) -> HttpResponse:
    """Put dollars into a requester's account."""
    requester = get_object_or_404(Requester, mturk_id=requester_id)
    form = DepositForm(request.POST)
    if not form.is_valid():
        refusal = _("“%(amount)s” is no amount. Write dollars above zero, such as 250.00.")
        said = refusal % {"amount": request.POST.get("amount", "")[:50]}
        return _overview(request, status=400, refusal=said)
    requesters.deposit(requester, form.cleaned_data["amount"])
    return redirect("operator_site:overview")


@require_GET
@for_the_operator
def sent_messages(request: HttpRequest, requester_id: str) -> HttpResponse:
    """What a requester has written to Workers, the newest first."""
    requester = get_object_or_404(Requester, mturk_id=requester_id)
    sent = requester.messages.select_related("worker").order_by("-pk")
    page = Paginator(sent, MESSAGES_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "operator/messages.html", {"requester": requester, "page": page})


@require_POST
@for_the_operator
def add_key(request: HttpRequest, requester_id: str) -> HttpResponse:
    """Make one more key and show it."""
    requester = get_object_or_404(Requester, mturk_id=requester_id)
    return _overview(request, shown=requesters.add_key(requester), of=requester)


@require_POST
@for_the_operator
def rotate_key(request: HttpRequest, key_id: str) -> HttpResponse:
    """Revoke a key and show the one that takes its place."""
    requester = get_object_or_404(Requester, access_keys__key_id=key_id)
    try:
        keys = requesters.rotate_key(key_id)
    except requesters.NoSuchKey as error:
        raise Http404 from error
    return _overview(request, shown=keys, of=requester)


@require_POST
@for_the_operator
def revoke_key(request: HttpRequest, key_id: str) -> HttpResponse:
    """Put a key out of force."""
    try:
        requesters.revoke_key(key_id)
    except requesters.NoSuchKey as error:
        raise Http404 from error
    return redirect("operator_site:overview")


def _overview(request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
    everybody = (
        Requester.objects.select_related("balance")
        .prefetch_related(Prefetch("access_keys", AccessKey.objects.order_by("pk")))
        .order_by("name")
    )
    waiting = (
        Notification.objects.filter(attempts__gt=0)
        .values("requester__name", "destination")
        .annotate(count=Count("pk"), error=Max("error"))
        .order_by("requester__name", "destination")
    )
    context = {"form": RequesterForm(), "requesters": everybody, "waiting": waiting} | context
    return render(request, "operator/overview.html", context, status=status)

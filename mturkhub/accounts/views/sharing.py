"""A requester account: its connections, the teams it is lent to, lending it and taking it back."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from mturkhub.accounts.actions import sharing as actions
from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.forms import LendForm
from mturkhub.accounts.models import AccountGrant, RequesterAccount
from mturkhub.accounts.permissions import Permission, can, check_can, refusal
from mturkhub.common.errors import ActionRefused


@require_GET
def account(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    return _page(request, _account(request, public_id), LendForm())


@require_POST
def lend_account(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """Lend it; a form that is refused comes back with what was typed."""
    row = _account(request, public_id)
    check_can(request.actor, Permission.ACCOUNT_LEND, row.team_id)
    form = LendForm(request.POST)
    if form.is_valid():
        try:
            grant = actions.lend_account(row, by=request.actor, **form.cleaned_data)
        except ActionRefused as refused:
            form.add_error(None, refused.sentence)
        else:
            messages.success(request, f"{grant.team} may now {'; '.join(grant.words)}.")
            return redirect("accounts:account", public_id=row.public_id)
    return _page(request, row, form)


@require_POST
def take_account_back(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    grants = AccountGrant.objects.filter(account__team_id__in=request.actor.team_ids)
    grant = get_object_or_404(grants.select_related("account__team", "team"), public_id=public_id)
    actions.take_account_back(grant, by=request.actor)
    messages.success(
        request,
        f"Taken back: {grant.team} publishes nothing more here. What it has published, it keeps and reviews.",
    )
    return redirect("accounts:account", public_id=grant.account.public_id)


def _page(request: TeamRequest, row: RequesterAccount, form: LendForm) -> HttpResponse:
    context = {
        "nav": "connections",
        "account": row,
        "connections": row.connections.order_by("environment", "name"),
        "grants": row.grants.select_related("team", "granted_by").order_by("team__name", "pk"),
        "form": form,
        "may_lend": can(request.actor, Permission.ACCOUNT_LEND, row.team_id),
        "why_not": refusal(request.actor, Permission.ACCOUNT_LEND, row.team_id),
    }
    return render(request, "accounts/account.html", context, status=400 if form.errors else 200)


def _account(request: TeamRequest, public_id: uuid.UUID) -> RequesterAccount:
    return get_object_or_404(RequesterAccount.objects.for_actor(request.actor), public_id=public_id)

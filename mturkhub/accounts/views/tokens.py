"""Tokens for scripts: one's own in the present team, and for its owners everybody's."""

import uuid
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from mturkhub.accounts.actions import tokens as actions
from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.models import ApiToken, Membership
from mturkhub.accounts.people_forms import TokenForm
from mturkhub.accounts.permissions import Permission
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused

# Those whose time is over stay on the page for so long.
REMEMBERED = timedelta(days=30)


@require_GET
def tokens(request: TeamRequest) -> HttpResponse:
    """What works, what it may do, and when it was last used."""
    return render(
        request, "accounts/tokens.html", _tokens(request, TokenForm(role=_membership(request).role))
    )


@never_cache
@require_POST
def create_token(request: TeamRequest) -> HttpResponse:
    """Make a token and show it, this once."""
    membership = _membership(request)
    form = TokenForm(request.POST, role=membership.role)
    if form.is_valid():
        lives = timedelta(days=form.cleaned_data["days"])
        name, scope = form.cleaned_data["name"], form.cleaned_data["scope"]
        try:
            made = actions.make_token(membership, by=request.actor, name=name, scope=scope, lives=lives)
        except ActionRefused as refused:
            form.add_error(None, refused.sentence)
        else:
            return render(request, "accounts/token_made.html", {"own": "tokens", "made": made})
    return render(request, "accounts/tokens.html", _tokens(request, form), status=400)


@require_POST
def revoke_token(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(ApiToken.objects.for_actor(request.actor), public_id=public_id)
    actions.revoke_token(token, by=request.actor)
    messages.success(request, f"The token {token.name} is revoked: nothing can be done with it any more.")
    return redirect("accounts:tokens")


def _membership(request: TeamRequest) -> Membership:
    if request.team is None:
        raise Http404
    return next(each for each in request.memberships if each.team_id == request.team.pk)


def _tokens(request: TeamRequest, form: TokenForm) -> dict[str, Any]:
    now = clock.now()
    recent = Q(expires_at=None) | Q(expires_at__gt=now - REMEMBERED)
    seen = ApiToken.objects.for_actor(request.actor).unrevoked().filter(recent)
    rows = seen.select_related("membership__user").order_by("-pk")
    own: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for token in rows:
        may = [each.words for each in Permission if each in token.permissions]
        row = {"token": token, "may": may, "is_expired": token.is_expired(now)}
        (own if token.membership.user_id == request.user.pk else others).append(row)
    return {"own": "tokens", "form": form, "mine": own, "others": others}

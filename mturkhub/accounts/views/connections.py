"""Ways to a market: list, make, test, re-key."""

import uuid
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mturkhub.accounts.actions import connections as actions
from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.credentials import own_identity_names
from mturkhub.accounts.forms import ConnectionForm, KeysForm
from mturkhub.accounts.models import Connection, Event, NotificationQueue, RequesterAccount
from mturkhub.accounts.permissions import Permission, can, check_can, refusal
from mturkhub.accounts.sentences import sentence
from mturkhub.accounts.setup import checklist, checklists
from mturkhub.common.errors import ActionRefused
from mturkhub.common.money import dollars
from mturkhub.gateway.event_queue import read_address


@require_GET
def connections(request: TeamRequest) -> HttpResponse:
    rows = _seen(request).order_by("environment", "name")
    context = {
        "nav": "connections",
        "connections": rows,
        "checklists": checklists(row for row in rows if row.account.team_id == _team_id(request)),
        "accounts": RequesterAccount.objects.for_actor(request.actor).order_by("pk"),
        "create_address": reverse("accounts:create_connection"),
        "may_lend": can(request.actor, Permission.ACCOUNT_LEND, _team_id(request)),
        **_may_manage(request, _team_id(request)),
    }
    return render(request, "accounts/connections.html", context)


@require_GET
def connection(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    row = _connection(request, public_id)
    events = Event.objects.for_actor(request.actor).filter(
        target_type=Connection._meta.label_lower, target_id=row.pk
    )
    newest = events.select_related("by").order_by("-pk")[:20]
    queue = NotificationQueue.objects.filter(connection=row).first()
    happened = [{"event": event, "sentence": sentence(event)} for event in newest]
    context = {
        "nav": "connections",
        "connection": row,
        "checklist": checklist(row.environment, row),
        "is_lent": row.account.team_id != _team_id(request),
        "happened": happened,
        "queue": queue,
        "queue_address": read_address(queue.url) if queue else None,
        "keys_address": reverse("accounts:replace_keys", args=[row.public_id]),
        **_may_manage(request, row.account.team_id),
    }
    return render(request, "accounts/connection.html", context)


@sensitive_post_parameters("secret_access_key")
@require_http_methods(["GET", "POST"])
def create_connection(request: TeamRequest) -> HttpResponse:
    check_can(request.actor, Permission.CONNECTION_MANAGE, _team_id(request))
    named = own_identity_names(request.team) if request.team else []
    form = ConnectionForm(request.POST if request.method == "POST" else None, own_identity_for=named)
    if request.method == "POST" and form.is_valid():
        account = RequesterAccount.objects.for_actor(request.actor).order_by("pk").first()
        if account is None:
            account = RequesterAccount.objects.create(team_id=_team_id(request), name="Main account")
        try:
            made = actions.create_connection(account, by=request.actor, **form.cleaned_data)
        except ActionRefused as refused:
            form.add_error(None, refused.sentence)
        else:
            return _test(request, made)
    context = {"nav": "connections", "form": form, "back": reverse("accounts:connections")}
    return render(request, "accounts/connection_form.html", context, status=400 if form.errors else 200)


@require_POST
def test_connection(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    return _test(request, _connection(request, public_id))


@require_POST
def resume_connection(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    row = actions.resume_connection(_connection(request, public_id), by=request.actor)
    messages.success(request, f"{row.name} sends again what waits.")
    return redirect("accounts:connection", public_id=row.public_id)


@sensitive_post_parameters("secret_access_key")
@require_http_methods(["GET", "POST"])
def replace_keys(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    row = _connection(request, public_id)
    check_can(request.actor, Permission.CONNECTION_MANAGE, row.account.team_id)
    form = KeysForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            row = actions.replace_keys(row, by=request.actor, **form.cleaned_data)
        except ActionRefused as refused:
            form.add_error(None, refused.sentence)
        else:
            return _test(request, row)
    context = {
        "nav": "connections",
        "form": form,
        "connection": row,
        "back": reverse("accounts:connection", args=[row.public_id]),
    }
    return render(request, "accounts/replace_keys.html", context, status=400 if form.errors else 200)


def _test(request: TeamRequest, row: Connection) -> HttpResponse:
    """Test, say what came of it, and show the Connection."""
    row = actions.try_connection(row, by=request.actor)
    if row.problem:
        messages.error(request, f"{row.name} was tested and does not work yet. What is missing stands below.")
    elif row.balance is not None:
        unreal = "" if row.has_balance else ", which is not real money"
        messages.success(request, f"{row.name} works: {dollars(row.balance)} available{unreal}.")
    return redirect("accounts:connection", public_id=row.public_id)


def _connection(request: TeamRequest, public_id: uuid.UUID) -> Connection:
    return get_object_or_404(_seen(request), public_id=public_id)


def _seen(request: TeamRequest) -> QuerySet[Connection]:
    """The team's own Connections and those lent to it."""
    rows = Connection.objects.for_actor(request.actor).with_balance_seen(request.actor)
    return rows.select_related("account__team")


def _may_manage(request: TeamRequest, team_id: int) -> dict[str, Any]:
    """Whether the buttons act, and else the sentence they show; the account's home team decides."""
    return {
        "may_manage": can(request.actor, Permission.CONNECTION_MANAGE, team_id),
        "why_not": refusal(request.actor, Permission.CONNECTION_MANAGE, team_id),
    }


def _team_id(request: TeamRequest) -> int:
    """The team in force; 0, which no team has, for somebody who is in none."""
    return request.team.pk if request.team else 0

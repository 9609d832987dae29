"""The queue in which MTurk tells a Connection of events: set up, tested, switched off."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from mturkhub.accounts.actions import notifications as actions
from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.forms import QueueForm
from mturkhub.accounts.models import Connection, NotificationQueue
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.common.errors import ActionRefused


@require_http_methods(["GET", "POST"])
def set_queue(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    row = _connection(request, public_id)
    check_can(request.actor, Permission.CONNECTION_MANAGE, row.account.team_id)
    queue = NotificationQueue.objects.filter(connection=row).first()
    typed = request.POST if request.method == "POST" else None
    form = QueueForm(typed, initial={"url": queue.url if queue else ""})
    if request.method == "POST" and form.is_valid():
        try:
            actions.set_queue(row, by=request.actor, **form.cleaned_data)
        except ActionRefused as refused:
            form.add_error("url", refused.sentence)
        else:
            messages.success(
                request, "The queue is read from now on. Give it the policy below, then send a test event."
            )
            return _back(row)
    context = {
        "nav": "connections",
        "form": form,
        "connection": row,
        "back": reverse("accounts:connection", args=[row.public_id]),
    }
    return render(request, "accounts/set_queue.html", context, status=400 if form.errors else 200)


@require_POST
def send_test_event(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    row = _connection(request, public_id)
    queue = actions.send_test_event(row, by=request.actor)
    if queue.test_sent_at is None:
        messages.error(request, f"No test event was sent. {queue.problem}")
    else:
        messages.success(
            request,
            "The market has taken the test event. Load this page again in some seconds to see it arrive.",
        )
    return _back(row)


@require_POST
def switch_queue_off(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    row = _connection(request, public_id)
    actions.switch_queue_off(row, by=request.actor)
    messages.success(request, "Notifications are off. Answers are collected by sweeps alone.")
    return _back(row)


def _connection(request: TeamRequest, public_id: uuid.UUID) -> Connection:
    rows = Connection.objects.for_actor(request.actor).select_related("account__team")
    return get_object_or_404(rows, public_id=public_id)


def _back(row: Connection) -> HttpResponse:
    return redirect("accounts:connection", public_id=row.public_id)

"""Bonuses: what one costs stands on the button that sends it."""

import uuid
from decimal import Decimal, InvalidOperation

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules.connections import balance_seen
from mturkhub.common.errors import ActionRefused
from mturkhub.gateway.fees import bonus_fee
from mturkhub.workers.naming import shown_ids
from projects.actions import payments
from projects.forms.payments import BonusForm
from projects.models import Assignment, Bonus
from projects.views.batches import batch_or_404, head


@require_http_methods(["GET", "POST"])
def bonus(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """The first POST shows the sum, the second, whose button named that sum, sends it."""
    found = Assignment.objects.for_actor(request.actor).select_related("row", "connection")
    assignment = get_object_or_404(found, public_id=public_id)
    check_can(request.actor, Permission.BONUS_SEND, assignment.team_id)
    form = BonusForm(request.POST or None)
    total, status = None, 200
    if request.method == "POST" and form.is_valid():
        total = payments.bonus_price(assignment, form.cleaned_data["amount"])
        try:
            if _named(request) == total:
                _check_sure(request, assignment)
                payments.send_bonus(assignment, by=request.actor, **form.cleaned_data)
                messages.info(request, "The bonus is on its way.")
                return redirect(_answer_url(assignment))
        except ActionRefused as refused:
            messages.error(request, refused.sentence)
            status = refused.status
    batch = batch_or_404(request, assignment.batch.public_id)
    earlier = assignment.bonuses.select_related("by").order_by("pk")
    context = head(request, batch, "review") | {
        "assignment": assignment,
        "worker": shown_ids(batch.team_id, [assignment.worker_id], request.actor).get(
            assignment.worker_id, ""
        ),
        "form": form,
        "total": total,
        "fee": bonus_fee(form.cleaned_data["amount"], batch.connection.fee_schedule) if total else None,
        "free": balance_seen(batch.connection, batch.team_id),
        "bonuses": earlier,
        "is_repeat": bool(total)
        and earlier.paid()
        .filter(amount=form.cleaned_data["amount"], reason=form.cleaned_data["reason"])
        .exists(),
        "is_production": batch.connection.environment == "production",
        "back": _answer_url(assignment),
    }
    return render(request, "projects/bonus.html", context, status=400 if form.errors else status)


def _named(request: TeamRequest) -> Decimal | None:
    """The sum on the button that was pressed."""
    try:
        return Decimal(request.POST.get("total", ""))
    except InvalidOperation:
        return None


def _check_sure(request: TeamRequest, assignment: Assignment) -> None:
    if assignment.connection.environment == "production" and not request.POST.get("sure"):
        raise ActionRefused("This is Production. Tick the box that repeats the sum, then send.", status=400)


def _answer_url(assignment: Assignment) -> str:
    url = reverse("projects:review_batch", args=[assignment.batch.public_id])
    return f"{url}?show=all&answer={assignment.public_id}"


@require_POST
def retry_bonus(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    found = Bonus.objects.for_actor(request.actor).select_related("assignment__batch")
    bonus = get_object_or_404(found, public_id=public_id)
    payments.retry_bonus(bonus, by=request.actor)
    messages.info(request, "Trying again; it is not paid twice.")
    return redirect(_answer_url(bonus.assignment))

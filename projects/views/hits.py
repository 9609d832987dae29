"""Changing HITs that exist, and ending a batch: each verb has a page that says what it will do and cost."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules.connections import balance_seen
from mturkhub.common.errors import ActionRefused
from projects import rules
from projects.actions import batches, continuing, hits, requeueing
from projects.chains import chain_of
from projects.ending import overturnable_answers
from projects.forms.hits import AnswersForm, OpenForForm, RequeueForm
from projects.models import HIT, Assignment, Batch
from projects.queueing import cost_of_rest, plan_again
from projects.states import AssignmentStatus, BatchState
from projects.views.batches import batch_or_404, head


def _asked(request: TeamRequest, public_id: uuid.UUID) -> tuple[Batch, list[int] | None]:
    """The batch, and the numbers of the rows it is about; None for all of them."""
    batch = batch_or_404(request, public_id)
    check_can(request.actor, Permission.BATCH_PUBLISH, batch.team_id)
    given = request.POST if request.method == "POST" else request.GET
    numbers = [int(text) for text in given.getlist("row") if text.isdecimal() and len(text) < 10]
    return batch, numbers or None


def _page(
    request: TeamRequest, batch: Batch, name: str, rows: list[int] | None, *, status: int = 200, **more: Any
) -> HttpResponse:
    tab = "rows" if rows else "progress"
    context = head(request, batch, tab) | {
        "rows": rows or [],
        "is_production": batch.connection.environment == "production",
        "free": balance_seen(batch.connection, batch.team_id),
    }
    return render(request, f"projects/{name}.html", context | more, status=status)


def _back(batch: Batch, rows: list[int] | None) -> HttpResponse:
    if rows and len(rows) == 1:
        return redirect("projects:row", batch.public_id, rows[0])
    return redirect("projects:batch", batch.public_id)


def _agreed(request: TeamRequest, batch: Batch) -> Decimal:
    """The sum on the button that was pressed; on Production it was also ticked."""
    if batch.connection.environment == "production" and not request.POST.get("sure"):
        raise ActionRefused(
            "This is Production. Tick the box that repeats the sum, then press again.", status=400
        )
    try:
        return Decimal(request.POST.get("total", ""))
    except InvalidOperation:
        raise ActionRefused("The page did not say what this costs. Open it again.", status=400) from None


def _do(request: TeamRequest, act: Callable[[], object]) -> int:
    """Do it, or say above the page why not; returns the status of the page that comes again, 0 when it is done."""
    try:
        act()
    except ActionRefused as refused:
        messages.error(request, refused.sentence)
        return refused.status
    return 0


@require_http_methods(["GET", "POST"])
def extend(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """More answers. GET shows how many HITs and the price for the number in the address; POST asks for them."""
    batch, rows = _asked(request, public_id)
    form = AnswersForm(
        request.POST
        if request.method == "POST"
        else (request.GET if "answers" in request.GET else {"answers": 1})
    )
    if not form.is_valid():
        return _page(request, batch, "extend", rows, form=form, plan=None, status=400)
    answers = form.cleaned_data["answers"]
    status = 200
    if request.method == "POST":

        def act() -> None:
            seen = request.POST.get("seen", "")
            hits.extend_answers(
                batch,
                by=request.actor,
                answers=answers,
                rows=rows,
                max_cost=_agreed(request, batch),
                seen=int(seen) if seen.isdecimal() and len(seen) < 19 else None,
            )

        status = _do(request, act)
        if not status:
            messages.info(request, "Asked for; the HITs grow within seconds.")
            return _back(batch, rows)
    plan = hits.plan_extension(batch, by=request.actor, answers=answers, rows=rows)
    return _page(request, batch, "extend", rows, form=form, plan=plan, status=status)


@require_http_methods(["GET", "POST"])
def more_time(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """A later expiration; expired HITs open again."""
    batch, rows = _asked(request, public_id)
    given = request.POST if request.method == "POST" else request.GET
    form = OpenForForm(given if "open_for_0" in given else None, initial={"open_for": batch.lifetime})
    if form.is_bound and not form.is_valid():
        return _page(request, batch, "more_time", rows, form=form, plan=None, status=400)
    open_for: timedelta = form.cleaned_data["open_for"] if form.is_bound else batch.lifetime
    status = 200
    if request.method == "POST":

        def act() -> None:
            hits.extend_time(
                batch, by=request.actor, open_for=open_for, rows=rows, max_cost=_agreed(request, batch)
            )

        status = _do(request, act)
        if not status:
            messages.info(request, "Asked for; the HITs are open longer within seconds.")
            return _back(batch, rows)
    plan = hits.plan_time(batch, by=request.actor, open_for=open_for, rows=rows)
    seconds = int(open_for.total_seconds())
    return _page(request, batch, "more_time", rows, form=form, plan=plan, seconds=seconds, status=status)


@require_http_methods(["GET", "POST"])
def expire(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """An early end for HITs that are open."""
    batch, rows = _asked(request, public_id)
    if request.method == "POST":
        hits.expire_early(batch, by=request.actor, rows=rows)
        messages.info(request, "Asked for; nobody can accept them any more within seconds.")
        return _back(batch, rows)
    rules.check_can_change_hits(batch)
    return _page(request, batch, "expire", rows, plan=hits.plan_early_end(batch, by=request.actor, rows=rows))


@require_http_methods(["GET", "POST"])
def cancel(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """Nothing more is created, and live HITs expire."""
    batch, _ = _asked(request, public_id)
    if request.method == "POST":
        batches.cancel_batch(batch, by=request.actor)
        said = "nothing more is created, and its HITs expire." if batch.published_at else "nothing was sent."
        messages.info(request, f"Cancelled: {said}")
        return _back(batch, None)
    rules.check_can_cancel(batch)
    if not batch.published_at:
        return redirect("projects:cost", batch.public_id)
    waiting = HIT.objects.filter(batch=batch, publish_state="queued").count()
    plan = hits.plan_early_end(batch, by=request.actor)
    return _page(request, batch, "cancel", None, plan=plan, waiting=waiting)


@require_http_methods(["GET", "POST"])
def close(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """HITs expire, answers are settled; with the batch's name typed its HITs are deleted at the market."""
    batch, _ = _asked(request, public_id)
    delete = request.POST.get("delete") == "1"
    give_up = request.POST.get("give_up") == "1"
    status = 200
    if request.method == "POST":

        def act() -> None:
            _check_name(request, batch, delete)
            batches.close_batch(
                batch, by=request.actor, delete=delete, give_up_overturning=delete and give_up
            )

        status = _do(request, act)
        if not status:
            messages.info(request, "Closing: it goes on by itself, also when you leave.")
            return _back(batch, None)
    rules.check_can_close(batch)
    answers = Assignment.objects.filter(batch=batch)
    return _page(
        request,
        batch,
        "close",
        None,
        plan=hits.plan_early_end(batch, by=request.actor),
        hits_there=HIT.objects.filter(batch=batch).at_the_market().count(),
        undecided=answers.filter(status=AssignmentStatus.SUBMITTED).count(),
        overturnable=overturnable_answers(batch).count(),
        chosen={"delete": delete, "give_up": give_up},
        status=status,
    )


def _check_name(request: TeamRequest, batch: Batch, delete: bool) -> None:
    if delete and request.POST.get("name", "").strip() != batch.name.strip():
        raise ActionRefused(f"To delete its HITs at MTurk, type the batch’s name: {batch.name}", status=400)


@require_http_methods(["GET", "POST"])
def publish_rest(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """After a trial: the rows that have no HIT."""
    batch, _ = _asked(request, public_id)
    status = 200
    if request.method == "POST":
        status = _do(
            request,
            lambda: batches.publish_rest(batch, by=request.actor, max_cost=_agreed(request, batch)),
        )
        if not status:
            return _back(batch, None)
        batch = batch_or_404(request, public_id)
    rules.check_can_publish_rest(batch)
    plan = cost_of_rest(batch)
    return _page(request, batch, "publish_rest", None, plan=plan, status=status)


@require_http_methods(["GET", "POST"])
def republish(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """What did not come, or was rejected: in a further round of the same rows, or by a further batch."""
    batch, _ = _asked(request, public_id)
    status = 200
    if request.method == "POST":
        status = _do(
            request, lambda: batches.republish(batch, by=request.actor, max_cost=_agreed(request, batch))
        )
        if not status:
            messages.info(request, "Asked again; the further HITs are being created.")
            return _back(batch, None)
        batch = batch_or_404(request, public_id)
    if not rules.can_continue(batch):
        rules.check_can_republish(batch)
    linked = chain_of(batch).exclude(pk=batch.pk).exclude(state=BatchState.CANCELLED)
    return _page(
        request, batch, "republish", None, plan=plan_again(batch), linked=list(linked), status=status
    )


@require_http_methods(["GET", "POST"])
def requeue(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """Rejected answers are asked for again by themselves. GET shows what a cap means; POST states or takes it away."""
    batch, _ = _asked(request, public_id)
    if request.POST.get("off"):
        requeueing.stop_requeue(batch, by=request.actor)
        messages.info(request, "Switched off: rejected answers are asked for again by hand only.")
        return _back(batch, None)
    rules.check_can_requeue(batch)
    given = request.POST if request.method == "POST" else request.GET
    usual = {"most": batch.requeue_most, "limit": batch.requeue_limit}
    form = RequeueForm(given if "most" in given else None, initial=usual)
    if not form.is_valid():
        return _page(
            request, batch, "requeue", None, form=form, plan=None, status=400 if form.errors else 200
        )
    cap, status, plan = form.cleaned_data, 200, None
    if request.method == "POST":

        def act() -> None:
            _agreed(request, batch)
            requeueing.set_requeue(batch, by=request.actor, **cap)

        status = _do(request, act)
        if not status:
            messages.info(request, "Switched on: what is rejected is asked for again within a minute.")
            return _back(batch, None)
    try:
        plan = requeueing.plan_requeue(batch, by=request.actor, **cap)
    except ActionRefused as refused:
        status = refused.status
        form.add_error(None, refused.sentence)
    return _page(request, batch, "requeue", None, form=form, plan=plan, status=status)


@require_POST
def continue_batch(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """A draft that asks for what is left with other settings."""
    batch = batch_or_404(request, public_id)
    draft = continuing.continue_batch(batch, by=request.actor)
    return redirect("projects:cost", draft.public_id)


@require_POST
def retry_changes(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    batch, _ = _asked(request, public_id)
    hits.retry_failed_operations(batch, by=request.actor)
    messages.info(request, "Trying again; nothing happens twice.")
    return _back(batch, None)


@require_POST
def drop_changes(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    batch, _ = _asked(request, public_id)
    hits.drop_failed_operations(batch, by=request.actor)
    messages.info(request, "Let be: its HITs stay as they are.")
    return _back(batch, None)

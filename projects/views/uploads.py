"""New batch: upload, check, settings and cost, publish."""

import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Case, QuerySet, When
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.models import Connection
from mturkhub.accounts.permissions import Loan, Permission, can, check_can, refusal
from mturkhub.accounts.rules.connections import balance_seen, check_can_use
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.stored_files import open_file, store_what_arrives
from mturkhub.common.tabular import Issue, Row, bad_lines_csv, csv_line, read_table
from projects import rules
from projects.actions.batches import publish_batch as publish
from projects.actions.batches import unschedule_batch
from projects.actions.requeueing import set_requeue
from projects.actions.uploads import (
    change_batch,
    check_again,
    choose_encoding,
    create_batch,
    drop_bad_lines,
    take_file,
    upload_file,
)
from projects.batch_reading import BatchReport, Checked, checked, first_rows
from projects.budgets import Room, check_fits, rooms_of
from projects.checking import latest_template
from projects.costs import Cost, hourly_wage
from projects.filters import public_id_or_none
from projects.forms import BatchSettingsForm, PublishingForm, UploadForm
from projects.models import Batch, BatchUpload, HITTemplate, Project
from projects.placeholders import WHOLE_ROW, as_text, find_placeholders
from projects.previews import Preview, preview_url
from projects.queueing import cost_of

PREVIEW_ROWS = 5
# The name of what was typed instead of uploaded; without an ending, so that its format follows from its text.
PASTED = "pasted text"


def _columns_needed(project: Project) -> list[str]:
    template = latest_template(project)
    return [each.name for each in find_placeholders(template.html) if each.name != WHOLE_ROW]


@csrf_exempt
@require_http_methods(["GET", "POST"])
def upload_batch(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """Exempt only until it is known whose file this is: looking for the token reads the file, and so stores it."""
    project = get_object_or_404(Project.objects.for_actor(request.actor), public_id=public_id)
    check_can(request.actor, Permission.BATCH_CREATE, project.team_id)
    if request.method == "POST":
        store_what_arrives(request, project.team_id)
    return _upload_page(request, project)


@csrf_protect
def _upload_page(request: TeamRequest, project: Project) -> HttpResponse:
    if not project.templates.exists():
        messages.warning(request, "Write the question first; then a file can be checked against it.")
        return redirect("projects:edit_template", project.public_id)
    form = UploadForm(
        request.POST or None, request.FILES or None, initial={"pasted": _pasted_before(request, project)}
    )
    if request.method == "POST" and form.is_valid():
        if file := form.cleaned_data["file"]:
            upload = take_file(project, by=request.actor, file=file.stored)
        else:
            pasted = [form.cleaned_data["pasted"].encode()]
            upload = upload_file(project, by=request.actor, name=PASTED, chunks=pasted)
        return redirect("projects:check_upload", upload.public_id)
    context = {"nav": "projects", "project": project, "form": form, "needed": _columns_needed(project)}
    return render(request, "projects/upload_batch.html", context, status=400 if form.errors else 200)


def _pasted_before(request: TeamRequest, project: Project) -> str:
    """The lines of an earlier paste, to be mended where they were typed."""
    wanted = public_id_or_none(request.GET.get("again", ""))
    if wanted is None:
        return ""
    uploads = project.uploads.select_related("file").filter(public_id=wanted, file__name=PASTED)
    upload = uploads.first()
    if upload is None:
        return ""
    with open_file(upload.file) as stream:
        return stream.read().decode().replace("\r\n", "\n")


@require_safe
def sample_file(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """A CSV with exactly the columns the template asks for."""
    project = get_object_or_404(Project.objects.for_actor(request.actor), public_id=public_id)
    needed = _columns_needed(project) or ["text"]
    lines = csv_line(needed) + csv_line([f"first {name}" for name in needed])
    response = HttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="sample.csv"'
    return response


@require_safe
def check_upload(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    upload = _upload(request, public_id)
    report = check_again(upload)
    if report is None:
        return _being_checked(request, upload)
    if request.htmx:
        # The part that shows how far the check has come asks again; now there is a whole page to show.
        return HttpResponse(headers={"HX-Refresh": "true"})
    position = _position(request)
    template = latest_template(upload.project)
    rows = [] if report.refusal else _first_rows(upload, template)
    row = rows[min(position, len(rows) - 1)] if rows else None
    is_accepted = request.GET.get("accepted", "1") == "1"
    preview = None
    if row and not report.stops:
        preview = preview_url(
            upload.team_id, request.user.pk, Preview(template.html, row.values, is_accepted)
        )
    context = {
        "nav": "projects",
        "upload": upload,
        "project": upload.project,
        "report": report,
        "rows": [(each.line, [as_text(each.values[name]) for name in report.columns]) for each in rows],
        "row": row,
        "position": position,
        "last_position": max(0, len(rows) - 1),
        "is_accepted": is_accepted,
        "preview": preview,
        "blocked": _blocked(upload, report),
        "is_pasted": upload.file.name == PASTED,
        "is_narrow": request.GET.get("width") == "360",
    }
    return render(request, "projects/check_upload.html", context)


def _being_checked(request: TeamRequest, upload: BatchUpload) -> HttpResponse:
    page = "_checking.html" if request.htmx else "checking_upload.html"
    context = {"nav": "projects", "upload": upload, "project": upload.project}
    return render(request, f"projects/{page}", context)


def _upload(request: TeamRequest, public_id: uuid.UUID) -> BatchUpload:
    uploads = BatchUpload.objects.for_actor(request.actor).select_related(
        "project", "file", "lines_dropped_by", "encoding_by"
    )
    upload = get_object_or_404(uploads, public_id=public_id)
    check_can(request.actor, Permission.BATCH_CREATE, upload.team_id)
    return upload


def _position(request: TeamRequest) -> int:
    given = request.GET.get("row", "0")
    return min(int(given), PREVIEW_ROWS - 1) if given.isdecimal() else 0


def _first_rows(upload: BatchUpload, template: HITTemplate) -> list[Row]:
    with open_file(upload.file) as stream:
        return first_rows(
            stream,
            upload.file.name,
            PREVIEW_ROWS,
            upload.encoding,
            html=template.html,
            frame_height=upload.project.frame_height,
        )


def _blocked(upload: BatchUpload, report: BatchReport) -> str:
    """Why going on to the cost is not possible, or nothing."""
    if report.stops:
        return report.stops[0]
    if report.bad_lines and upload.lines_dropped_at is None:
        return "Mend the lines named below and upload again, or drop them."
    return ""


@require_POST
def drop_lines(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    upload = _upload(request, public_id)
    drop_bad_lines(upload, by=request.actor)
    return redirect("projects:check_upload", upload.public_id)


@require_POST
def choose_upload_encoding(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    upload = _upload(request, public_id)
    choose_encoding(upload, by=request.actor, encoding=request.POST.get("encoding", ""))
    return redirect("projects:check_upload", upload.public_id)


@require_safe
def bad_lines(request: TeamRequest, public_id: uuid.UUID) -> StreamingHttpResponse:
    """Every bad line with what is wrong with it, as CSV."""
    upload = _upload(request, public_id)
    lines = bad_lines_csv(_checked(upload))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="bad-lines.csv"'
    return response


def _checked(upload: BatchUpload) -> Iterator[Checked | Issue]:
    template = latest_template(upload.project)
    with open_file(upload.file) as stream:
        table = read_table(stream, upload.file.name, upload.encoding)
        yield from checked(table, template.html, upload.project.frame_height)


@require_POST
def make_batch(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """From the checked file to a draft, on the first connection that works."""
    upload = _upload(request, public_id)
    # A draft keeps the template it was made with, and the check showed the latest one.
    template = latest_template(upload.project)
    draft = Batch.objects.drafts().filter(upload=upload, template=template).first()
    if draft is None:
        connection = _connections(request).first()
        if connection is None:
            raise ActionRefused("There is no connection that has passed its test. Add or test one first.")
        draft = create_batch(upload, by=request.actor, connection=connection)
    return redirect("projects:cost", draft.public_id)


def _connections(request: TeamRequest) -> QuerySet[Connection]:
    """Local ones first, the team's own before those lent to it; Amazon's once they have passed their test."""
    team_id = request.team.pk if request.team else 0
    ours = Connection.objects.for_actor(request.actor).allowing(Loan.PUBLISH, team_id)
    is_lent = Case(When(account__team_id=team_id, then=0), default=1)
    return ours.working().select_related("account__team").order_by("environment", is_lent, "pk")


# Settings and cost --------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def cost(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """The draft's settings beside its receipt. POST saves; with HTMX it only computes the receipt anew."""
    batch = _draft(request, public_id)
    if batch.published_at:
        return redirect("projects:batch", batch.public_id)
    form = BatchSettingsForm(request.POST or None, instance=batch, connections=_connections(request))
    if request.method == "POST" and request.htmx:
        form.is_valid()
        return render(request, "projects/_receipt.html", _receipt(request, batch, form))
    if request.method == "POST" and form.is_valid():
        _save(request, batch, form)
        messages.success(request, "Saved.")
        return redirect("projects:cost", batch.public_id)
    return _cost_page(request, batch, form, status=400 if form.errors else 200)


def _cost_page(request: TeamRequest, batch: Batch, form: BatchSettingsForm, *, status: int) -> HttpResponse:
    context = {"nav": "projects", "batch": batch, "project": batch.project, "form": form}
    context |= _receipt(request, batch, form) | {"connections": _connections(request)}
    return render(request, "projects/cost.html", context, status=status)


def _draft(request: TeamRequest, public_id: uuid.UUID) -> Batch:
    batches = Batch.objects.for_actor(request.actor).select_related(
        "connection",
        "project",
        "upload__lines_dropped_by",
        "upload__encoding_by",
        "team",
        "scheduled_by",
        "continues",
    )
    batch = get_object_or_404(batches, public_id=public_id)
    check_can(request.actor, Permission.BATCH_CREATE, batch.team_id)
    return batch


def _save(request: TeamRequest, batch: Batch, form: BatchSettingsForm) -> Batch:
    changes = {name: form.cleaned_data[name] for name in form.changed_data if name in form.cleaned_data}
    return change_batch(batch, by=request.actor, **changes) if changes else batch


def _receipt(request: TeamRequest, batch: Batch, form: BatchSettingsForm) -> dict[str, Any]:
    """What the batch costs with what is typed now; `batch` already carries the form's valid values."""
    connection = batch.connection
    options = PublishingForm(request.POST or None, batch=batch)
    chosen = options.cleaned_data if options.is_valid() else {}
    bill = cost_of(batch, first=chosen.get("first_rows"))
    balance = balance_seen(connection, batch.team_id)
    left = balance - bill.total if balance is not None else None
    wage = hourly_wage(batch.reward, batch.estimated_duration)
    rooms = _rooms(request, batch)
    return {
        "batch": batch,
        "form": form,
        "options": options,
        "later": bool(chosen.get("publish_at")),
        "requeue": _requeue(chosen),
        "connection": connection,
        "rooms": [(room, room.free - bill.total) for room in rooms],
        "cost": bill,
        "balance": balance,
        "left": left,
        "missing": -left if left is not None and left < 0 else None,
        "wage": wage,
        "target": batch.team.target_hourly_wage,
        "is_fair": wage is not None and wage >= batch.team.target_hourly_wage,
        "blocked": _why_not_publish(request, batch, bill, balance, rooms),
        "is_production": connection.environment == "production",
    }


def _requeue(chosen: dict[str, Any]) -> dict[str, Any] | None:
    """What asking again for rejected answers by itself may come to, where that is wished for."""
    most, limit = chosen.get("requeue_most"), chosen.get("requeue_limit")
    return {"most": most, "limit": limit} if most and limit else None


def _rooms(request: TeamRequest, batch: Batch) -> list[Room]:
    """The budgets that publishing would draw on."""
    publisher = request.actor.user or batch.created_by
    return rooms_of(batch, publisher_id=publisher.pk, now=clock.now())


def _why_not_publish(
    request: TeamRequest, batch: Batch, bill: Cost, balance: Decimal | None, rooms: list[Room]
) -> str:
    if not can(request.actor, Permission.BATCH_PUBLISH, batch.team_id):
        return refusal(request.actor, Permission.BATCH_PUBLISH, batch.team_id)
    try:
        rules.check_can_publish(batch)
        check_can_use(batch.connection, batch.team_id)
        rules.check_balance_covers(batch.connection.balance, bill.total, seen=balance)
        for room in rooms:
            check_fits(room, bill.total)
    except ActionRefused as refused:
        return refused.sentence
    return ""


@require_POST
def publish_batch(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """Save what stands in the form, then publish it at the price that was shown."""
    batch = _draft(request, public_id)
    check_can(request.actor, Permission.BATCH_PUBLISH, batch.team_id)
    rules.check_can_publish(batch)
    form = BatchSettingsForm(request.POST, instance=batch, connections=_connections(request))
    if not form.is_valid():
        return _cost_page(request, batch, form, status=400)
    try:
        receipt = _receipt(request, batch, form)
        if receipt["options"].errors:
            return _cost_page(request, batch, form, status=400)
        _check_price_is_as_shown(request, receipt)
        chosen = receipt["options"].cleaned_data
        with transaction.atomic():
            saved = _save(request, batch, form)
            if receipt["requeue"]:
                set_requeue(saved, by=request.actor, **receipt["requeue"])
            published = publish(
                saved,
                by=request.actor,
                first_rows=chosen["first_rows"],
                rows_per_hour=chosen["rows_per_hour"],
                at=chosen["publish_at"],
            )
    except ActionRefused as refused:
        # The page again instead of a way back to it: what was typed is not saved.
        messages.error(request, refused.sentence)
        return _cost_page(request, batch, form, status=refused.status)
    return redirect("projects:batch", published.public_id)


@require_POST
def unschedule(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    batch = _draft(request, public_id)
    unschedule_batch(batch, by=request.actor)
    messages.info(request, "Taken back: it is a draft again.")
    return redirect("projects:cost", batch.public_id)


def _check_price_is_as_shown(request: TeamRequest, receipt: dict[str, Any]) -> None:
    """The button named a sum; another one is another question."""
    shown = request.POST.get("total", "")
    if shown and shown != str(receipt["cost"].total):
        raise ActionRefused(
            f"The price has changed to ${receipt['cost'].total:,.2f} since the page was shown. Look at it, then publish."
        )
    if receipt["is_production"] and not request.POST.get("sure"):
        raise ActionRefused(
            "This is Production. Tick the box that repeats the sum, then publish.", status=400
        )

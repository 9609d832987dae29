"""What is taken away of a batch, as files."""

import uuid
from collections.abc import Iterator
from dataclasses import replace

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from mturkhub.accounts.actors import TeamRequest
from projects import exporting, increments, results_table
from projects.chains import with_those_that_continue
from projects.filters import MOST_COUNTED
from projects.means import main_field
from projects.models import Assignment, Batch, BatchRow
from projects.views.batches import batch_or_404, head


@require_safe
def batch_export(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    found = batch_or_404(request, public_id)
    left_out = len(
        Assignment.objects.filter(batch=found, left_out_at__isnull=False).values("pk")[:MOST_COUNTED]
    )
    last = increments.last_export(found, request.actor)
    further = with_those_that_continue(found)[1:]
    context = head(request, found, "export") | {
        "further": further,
        "further_answers": sum(each.answers for each in further),
        "left_out": left_out,
        "main_field": main_field(found.project.main_field, exporting.answer_fields([found, *further])),
        "last": last,
        "new": increments.count_new(found, last, most=MOST_COUNTED) if last else 0,
    }
    return render(request, "projects/batch_export.html", context)


@require_safe
def results_csv(request: TeamRequest, public_id: uuid.UUID) -> StreamingHttpResponse:
    """As it is, or with `?spreadsheet=1` so that a spreadsheet takes no cell for a formula."""
    found = batch_or_404(request, public_id)
    spreadsheet = request.GET.get("spreadsheet") == "1"
    lines = results_table.results_csv(
        found, by=request.actor, chosen=_chosen(request), spreadsheet=spreadsheet
    )
    name = f"Batch_{found.pk}_batch_results{'_spreadsheet' if spreadsheet else ''}.csv"
    return _download(lines, name, "text/csv; charset=utf-8")


@require_safe
def results_jsonl(request: TeamRequest, public_id: uuid.UUID) -> StreamingHttpResponse:
    """All, or with `?new=1` what has been collected since this person took away the last of them."""
    found = batch_or_404(request, public_id)
    last = increments.last_export(found, request.actor) if request.GET.get("new") == "1" else None
    chosen = replace(_chosen(request), until=increments.settled_until())
    if last:
        # Of the same batches as then: of another one everything would be new.
        chosen = replace(chosen, since=last.until, continued=last.continued)
    lines = exporting.results_jsonl(found, by=request.actor, chosen=chosen)
    lines = increments.remembered(lines, found, by=request.actor, chosen=chosen)
    return _download(lines, f"{_slug(found)}.jsonl", "application/x-ndjson")


@require_safe
def results_json(request: TeamRequest, public_id: uuid.UUID) -> StreamingHttpResponse:
    found = batch_or_404(request, public_id)
    chosen = replace(_chosen(request), continued=request.GET.get("continued") != "0")
    lines = exporting.results_json(found, by=request.actor, chosen=chosen)
    return _download(lines, f"{_slug(found)}.json", "application/json")


@require_safe
def row_jsonl(request: TeamRequest, public_id: uuid.UUID, number: int) -> StreamingHttpResponse:
    found = batch_or_404(request, public_id)
    line = get_object_or_404(BatchRow.objects.select_related("batch"), batch=found, number=number)
    lines = exporting.row_jsonl(line, by=request.actor)
    return _download(lines, f"{_slug(found)}-row-{number}.jsonl", "application/x-ndjson")


def _chosen(request: TeamRequest) -> exporting.Chosen:
    return exporting.Chosen(
        with_left_out=request.GET.get("left_out") == "1",
        with_rejected=request.GET.get("rejected") != "0",
        continued=request.GET.get("continued") == "1",
    )


def _slug(batch: Batch) -> str:
    return slugify(batch.name) or f"batch-{batch.pk}"


def _download(lines: Iterator[bytes], name: str, kind: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response

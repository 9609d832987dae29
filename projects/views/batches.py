"""A batch: progress, rows, one row, activity, and what can be asked of it as a whole."""

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from statistics import median
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Count, F, QuerySet, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.models import Event
from mturkhub.accounts.permissions import Permission, can, refusal
from mturkhub.accounts.sentences import sentence
from mturkhub.intentions.models import IntentionState, Operation
from mturkhub.workers.naming import shown_ids
from projects import rules
from projects.actions.batches import collect_now as collect
from projects.actions.batches import pause_batch, resume_batch, retry_failed_hits
from projects.activity import parts_of_batch
from projects.chains import item_rows, items_of
from projects.costs import hourly_wage
from projects.differences import differences_of
from projects.filters import MOST_COUNTED, ROW_SORTS, RowFilter, page_of
from projects.means import main_field, mean, shown
from projects.models import HIT, Assignment, Batch, BatchRow, Bonus, RowResult
from projects.operating import unfinished, wanted_expiration
from projects.states import AssignmentStatus, BatchState, OperationKind, RowProgress

# The bar on the batch page: progress, counter on Batch, tone, words.
BAR = [
    (RowProgress.DECIDED, "rows_decided", "green", "decided"),
    (RowProgress.TO_REVIEW, "rows_to_review", "orange", "all in, to review"),
    (RowProgress.SOME_ANSWERS, "rows_some_answers", "blue", "some answers"),
    (RowProgress.NO_ANSWER, "rows_no_answer", "pale", "no answer yet"),
    (RowProgress.NOT_PUBLISHED, "rows_not_published", "grey", "not yet published"),
    (RowProgress.FAILED, "rows_failed", "red", "failed"),
]
# Newest answers from which the median wage is taken; a sum kept for all of them is not worth a counter.
WAGE_SAMPLE = 200
ANSWERS_OF_A_ROW = 100
EVENTS = 200
CHANGES_OF_A_ROW = 50


def batch_or_404(request: TeamRequest, public_id: uuid.UUID) -> Batch:
    found = Batch.objects.for_actor(request.actor).select_related(
        "project", "connection__queue", "team", "template", "created_by", "published_by", "continues"
    )
    return get_object_or_404(found, public_id=public_id)


def head(request: TeamRequest, batch: Batch, tab: str) -> dict[str, Any]:
    """What the head of each tab shows."""
    at_market = HIT.objects.none() if batch.imported_at else HIT.objects.published().filter(batch=batch)
    group = at_market.select_related("hit_type").first()
    group_id = group.hit_type.mturk_id if group and group.hit_type else ""
    site = batch.connection.worker_site_url.rstrip("/")
    is_local = batch.connection.environment == "local"
    to_review = waiting_count(batch)
    changes = changes_of(batch)
    is_moving = batch.state in {BatchState.PUBLISHING, BatchState.CLOSING} or changes["open"]
    return {
        "nav": "projects",
        "tab": tab,
        "batch": batch,
        "may": {
            permission.name.lower(): can(request.actor, permission, batch.team_id)
            for permission in Permission
        },
        "why_not": {
            permission.name.lower(): refusal(request.actor, permission, batch.team_id)
            for permission in Permission
        },
        "worker_site": f"{site}/mturk/preview?groupId={group_id}" if group_id else "",
        "test_worker": f"{site}/test-worker?group={group_id}" if group_id and is_local else "",
        "expires_at": group.expires_at if group else None,
        "can_pause": rules.can_pause(batch),
        "can_resume": rules.can_resume(batch),
        "can_retry": rules.can_retry(batch),
        "can_change_hits": rules.can_change_hits(batch),
        "can_publish_rest": rules.can_publish_rest(batch),
        "can_republish": rules.can_republish(batch),
        "can_requeue": bool(batch.published_at) and rules.can_requeue(batch),
        "can_continue": rules.can_continue(batch),
        "continued_in": list(
            batch.continued_by.exclude(state=BatchState.CANCELLED, published_at=None).order_by("pk")
        ),
        "can_cancel": rules.can_cancel(batch),
        "can_close": rules.can_close(batch),
        "to_review": to_review,
        # What the head's pill and buttons depend on; when it changes, a live page is loaded anew.
        "was": f"{batch.state} with answers" if to_review else batch.state,
        "live": 2 if is_moving or _is_collecting(batch) else 15,
        "changes": changes,
    }


def changes_of(batch: Batch) -> dict[str, Any]:
    """How many changes of its HITs are on their way, and which were refused, the commonest reason first."""
    found = unfinished(batch)
    failed = found.filter(state=IntentionState.FAILED).order_by("pk").values_list("outcome", flat=True)
    reasons = Counter(failed[:MOST_COUNTED].iterator())
    return {
        "open": len(found.exclude(state=IntentionState.FAILED).values("pk")[:MOST_COUNTED]),
        "failed": sum(reasons.values()),
        "reasons": [{"outcome": outcome, "hits": number} for outcome, number in reasons.most_common(3)],
    }


def _is_collecting(batch: Batch) -> bool:
    return bool(batch.connection.sweep_wanted_at or batch.connection.sweep_lease_until)


def waiting_count(batch: Batch) -> int:
    """Answers that wait for a person: the batch's own count without those that are being decided right now."""
    if not batch.answers_submitted or batch.imported_at:
        return 0
    return max(0, batch.answers_submitted - pending_count(batch))


def pending_count(batch: Batch) -> int:
    """Answers whose decision MTurk has not confirmed yet."""
    pending = Assignment.objects.filter(batch=batch, status=AssignmentStatus.SUBMITTED)
    return pending.exclude(pending_verdict="").count()


@require_safe
def batch(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    found = batch_or_404(request, public_id)
    if not found.published_at:
        return redirect("projects:cost", found.public_id)
    return render(request, "projects/batch.html", _progress_page(request, found))


@require_safe
def batch_figures(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """The live part of the batch page; when its head would look different, the whole page comes anew."""
    context = _progress_page(request, batch_or_404(request, public_id))
    response = render(request, "projects/_batch_figures.html", context)
    if request.GET.get("was", context["was"]) != context["was"]:
        response["HX-Refresh"] = "true"
    return response


def _progress_page(request: TeamRequest, batch: Batch) -> dict[str, Any]:
    rows = _rows(batch, RowFilter(sort="row"), "", size=10).items
    return head(request, batch, "progress") | progress(batch) | {"rows": rows}


def row_bar(batch: Batch) -> list[dict[str, Any]]:
    """The batch's rows by progress, as parts of a hundred."""
    x, bar = Decimal(0), []
    for state, counter, tone, words in BAR:
        count = getattr(batch, counter)
        width = Decimal(100) * count / batch.rows_total if batch.rows_total else Decimal(0)
        bar.append(
            {"state": state.value, "count": count, "tone": tone, "words": words, "x": x, "width": width}
        )
        x += width
    return bar


def progress(batch: Batch) -> dict[str, Any]:
    return {
        "bar": row_bar(batch),
        "wage": median_wage(batch),
        "target": batch.team.target_hourly_wage,
        "failures": _failures(batch),
        "differences": differences_of(batch),
        "waiting": _waiting_to_be_created(batch),
        "next_auto_approval": _next_auto_approval(batch),
    }


def _waiting_to_be_created(batch: Batch) -> dict[str, Any] | None:
    """What resuming a paused batch creates, and the price in dollars; None for one that is not paused."""
    if batch.state != BatchState.PAUSED:
        return None
    hits = HIT.objects.filter(batch=batch, publish_state=IntentionState.QUEUED)
    price = Sum(F("price_each") * F("max_assignments"), default=Decimal("0.00"))
    return hits.aggregate(hits=Count("pk"), total=price)


def median_wage(batch: Batch) -> Decimal | None:
    """Dollars an hour at the median time of the newest answers, from accept to submit; None before the first."""
    newest = Assignment.objects.filter(batch=batch, left_out_at=None).order_by("-submitted_at", "-id")
    times = list(newest.values_list("work_time", flat=True)[:WAGE_SAMPLE])
    if not times:
        return None
    return hourly_wage(batch.reward, timedelta(seconds=median(time.total_seconds() for time in times)))


def _next_auto_approval(batch: Batch) -> Any:
    if batch.imported_at:
        return None
    waiting = Assignment.objects.filter(batch=batch).awaiting_review().exclude(auto_approval_at=None)
    return waiting.order_by("auto_approval_at").values_list("auto_approval_at", flat=True).first()


def _failures(batch: Batch) -> list[Any]:
    """Why rows failed, the commonest reason first."""
    if not batch.rows_failed:
        return []
    failed = HIT.objects.failed().filter(batch=batch).order_by("pk").values_list("outcome", flat=True)
    reasons = Counter(failed[:MOST_COUNTED].iterator())
    return [{"outcome": outcome, "rows": rows} for outcome, rows in reasons.most_common(5)]


# Rows ---------------------------------------------------------------------------------------------


@require_safe
def batch_rows(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    found = batch_or_404(request, public_id)
    chosen = RowFilter.read(request.GET)
    page = _rows(found, chosen, request.GET.get("at", ""))
    context = head(request, found, "rows") | {
        "filter": chosen,
        "page": page,
        "rows": page.items,
        "progress_choices": RowProgress.choices,
        "sorts": [(name, words) for name, (words, _) in ROW_SORTS.items()],
        "newer": chosen.query(at=page.newer) if page.newer else "",
        "older": chosen.query(at=page.older) if page.older else "",
    }
    return render(request, "projects/batch_rows.html", context)


def _rows(batch: Batch, chosen: RowFilter, at: str, size: int = 50) -> Any:
    page = chosen.page(batch, at, size)
    results: list[RowResult] = page.items
    keys = [result.row_id for result in results]
    hits: dict[int, list[HIT]] = {}
    for hit in HIT.objects.filter(row__in=keys).order_by("round", "group"):
        hits.setdefault(hit.row_id, []).append(hit)
    field = main_field(batch.project.main_field, batch.answer_fields)
    values: dict[int, list[str]] = {}
    items = items_of(keys)
    answers = Assignment.objects.kept().filter(row__in=list(items)).values_list("row_id", "answer__fields")
    for row_id, fields in answers:
        values.setdefault(items[row_id], []).extend((fields or {}).get(field, []))
    lines = [
        {
            "result": result,
            "row": result.row,
            "cells": [result.row.input.get(name) for name in batch.columns[:2]],
            "hits": hits.get(result.row_id, []),
            "hit": hits[result.row_id][-1] if result.row_id in hits else None,
            "expected": sum(
                hit.max_assignments
                for hit in hits.get(result.row_id, [])
                if hit.publish_state == IntentionState.PUBLISHED
            ),
            "mean": shown(mean(values.get(result.row_id, []))),
        }
        for result in results
    ]
    return replace(page, items=lines)


@require_safe
def row(request: TeamRequest, public_id: uuid.UUID, number: int) -> HttpResponse:
    """One row with all its answers, also those in batches of the same chain; for numbers, their mean."""
    found = batch_or_404(request, public_id)
    line = get_object_or_404(BatchRow.objects.select_related("result"), batch=found, number=number)
    others = {other.pk: other for other in item_rows(line).exclude(pk=line.pk).select_related("batch")}
    every = Assignment.objects.filter(row__in=[line.pk, *others])
    listed = every.select_related("answer").defer("answer__raw_xml").order_by("submitted_at", "id")
    # A survey has one row with thousands of answers.
    page = page_of(listed, request.GET.get("at", ""), ANSWERS_OF_A_ROW)
    bonuses: dict[int, Decimal] = {}
    paid = Bonus.objects.paid().filter(assignment__in=[answer.pk for answer in page.items])
    for bonus in paid:
        bonuses[bonus.assignment_id] = bonuses.get(bonus.assignment_id, Decimal(0)) + bonus.amount
    names = shown_ids(found.team_id, [answer.worker_id for answer in page.items], request.actor)
    given = _answers_by_field(every)
    fields = sorted(given)
    context = head(request, found, "rows") | {
        "row": line,
        "inputs": [(name, line.input.get(name)) for name in found.columns],
        "others": list(others.values()),
        "hits": _with_changes(line.hits.order_by("round", "group")),
        "fields": fields,
        "answers": [
            {
                "assignment": answer,
                "batch": found if answer.row_id == line.pk else others[answer.row_id].batch,
                "worker": names.get(answer.worker_id, ""),
                "bonus": bonuses.get(answer.pk),
                "cells": [answer.answer.fields.get(name, []) for name in fields],
            }
            for answer in page.items
        ],
        "count": page.total_words,
        "means": [shown(mean(given[name])) for name in fields],
        "newer": urlencode({"at": page.newer}) if page.newer else "",
        "older": urlencode({"at": page.older}) if page.older else "",
        "before": number - 1 if number > 1 else None,
        "after": number + 1 if number < found.rows_total else None,
    }
    return render(request, "projects/row.html", context)


def _with_changes(hits: QuerySet[HIT]) -> list[tuple[HIT, list[dict[str, Any]]]]:
    """HITs with what was asked of each after it was created, the newest first."""
    found = list(hits)
    changes: dict[int, list[dict[str, Any]]] = {}
    families = {kind.family for kind in OperationKind}
    asked = Operation.objects.filter(target_id__in=[hit.pk for hit in found], family__in=families)
    for operation in asked.select_related("by").order_by("-pk")[:CHANGES_OF_A_ROW]:
        until = wanted_expiration(operation) if operation.kind == OperationKind.EXPIRE else None
        changes.setdefault(operation.target_id, []).append({"operation": operation, "until": until})
    return [(hit, changes.get(hit.pk, [])) for hit in found]


def _answers_by_field(answers: QuerySet[Assignment]) -> dict[str, list[str]]:
    """Field → what was answered in it; of answers left out of the data the field's name alone."""
    given: dict[str, list[str]] = {}
    found = answers.order_by("submitted_at", "id").values_list("left_out_at", "answer__fields")
    for left_out_at, fields in found.iterator(chunk_size=ANSWERS_OF_A_ROW):
        for name, values in (fields or {}).items():
            given.setdefault(name, []).extend([] if left_out_at else values)
    return given


# Activity ------------------------------------------------------------------------------


@require_safe
def batch_activity(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    found = batch_or_404(request, public_id)
    # Each part is found by an index of its own; with an "or" between them, all events of the team would be read.
    parts = [Event.objects.filter(part, team_id=found.team_id) for part in parts_of_batch(found)]
    newest = [part.order_by("-pk").values("pk")[:EVENTS] for part in parts]
    events = Event.objects.filter(pk__in=newest[0].union(newest[1], all=True), team_id=found.team_id)
    events = events.select_related("by").order_by("-pk")[:EVENTS]
    context = head(request, found, "activity") | {"events": [(event, sentence(event)) for event in events]}
    return render(request, "projects/batch_activity.html", context)


# What can be asked --------------------------------------------------------------------------------


def _asked(
    request: TeamRequest, public_id: uuid.UUID, action: Callable[..., Batch], said: str, **arguments: Any
) -> HttpResponse:
    found = batch_or_404(request, public_id)
    action(found, by=request.actor, **arguments)
    messages.info(request, said)
    return redirect("projects:batch", found.public_id)


@require_POST
def collect_now(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    return _asked(request, public_id, collect, "Asking for new answers; they appear here by themselves.")


@require_POST
def pause(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    return _asked(request, public_id, pause_batch, "Paused: nothing more is created. Live HITs go on.")


@require_POST
def resume(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    return _asked(request, public_id, resume_batch, "Going on where it was paused.")


@require_POST
def retry_failed(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """All failed rows, or those whose numbers are given."""
    given = request.POST.getlist("row")
    numbers = [int(number) for number in given if number.isdecimal() and len(number) < 10]
    said = "Trying again; nothing is created twice."
    return _asked(request, public_id, retry_failed_hits, said, rows=numbers if given else None)

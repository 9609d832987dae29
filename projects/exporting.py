"""Results as they are taken away: CSV as from the requester site, JSON Lines, and one JSON item per row; streamed.

No export holds the batch in memory. WorkerId is the pseudonym unless the person may see real ids.
"""

import codecs
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, F, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast, JSONObject

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.common import clock
from mturkhub.common.models import Installation
from mturkhub.common.tabular import csv_line, for_spreadsheet
from mturkhub.workers.naming import shown_ids
from projects.annotations import annotation_for
from projects.columns import result_header
from projects.means import as_number, main_field, mean
from projects.models import HIT, Assignment, Batch, BatchRow, Bonus
from projects.placeholders import as_text
from projects.states import AssignmentStatus

# Answers in memory at a time; each of them, and its row, may be 64 KB.
CHUNK = 200
PACIFIC = ZoneInfo("America/Los_Angeles")


def exported(batch: Batch, *, with_left_out: bool = False) -> QuerySet[Assignment]:
    """The batch's answers in the order of rows, those left out of the data only where asked for."""
    found = Assignment.objects.filter(batch=batch)
    if not with_left_out:
        found = found.kept()
    return found.order_by("row__number", "submitted_at", "id")


def _read(assignments: QuerySet[Assignment]) -> Iterator[Any]:
    """The answers one after the other, each with its row and HIT, and what was answered as `given`."""
    # Not as `answer`: that would bring the XML, and each object would hold the other in memory.
    found = assignments.select_related("hit__hit_type", "row").annotate(given=F("answer__fields"))
    return found.iterator(chunk_size=CHUNK)


# CSV ----------------------------------------------------------------------------------------------


def results_csv(
    batch: Batch, *, by: Actor, assignments: QuerySet[Assignment] | None = None, spreadsheet: bool = False
) -> Iterator[bytes]:
    """One line per answer in the requester site's columns, every field quoted; UTF-8.

    `spreadsheet` makes the variant to open in one: no cell is a formula, and a byte order mark says that it is UTF-8.
    """
    check_can(by, Permission.RESULTS_EXPORT, batch.team_id)
    lines = _csv_lines(
        batch,
        by,
        exported(batch) if assignments is None else assignments,
        for_spreadsheet if spreadsheet else str,
    )
    return chain([codecs.BOM_UTF8], lines) if spreadsheet else lines


def _csv_lines(
    batch: Batch, by: Actor, assignments: QuerySet[Assignment], as_cell: Callable[[str], str]
) -> Iterator[bytes]:
    fields = sorted(batch.answer_fields)
    yield csv_line(map(as_cell, result_header(batch.columns, fields)), quote_all=True).encode()
    writer = _Writer(batch, by)
    for assignment in _read(assignments):
        answers = assignment.given or {}
        cells = [
            *writer.cells(assignment),
            *(as_text(assignment.row.input.get(name)) for name in batch.columns),
            *("|".join(answers.get(name, [])) for name in fields),
            "",
            "",
        ]
        yield csv_line(map(as_cell, cells), quote_all=True).encode("utf-8", "replace")


class _Writer:
    """What the answers of one batch have in common, looked up once."""

    def __init__(self, batch: Batch, by: Actor) -> None:
        self.batch = batch
        self.installation = Installation.current_id()
        self.rates = approval_rates(batch)
        self.names = shown_ids(batch.team_id, self.rates, by)

    def cells(self, assignment: Assignment) -> list[str]:
        batch, hit = self.batch, assignment.hit
        rates = self.rates[assignment.worker_id]
        return [
            hit.mturk_id or "",
            hit.hit_type.mturk_id if hit.hit_type else "",
            batch.title,
            batch.description,
            batch.keywords,
            f"${batch.reward}",
            pacific(hit.mturk_created_at),
            str(hit.max_assignments),
            self._annotation(hit),
            _seconds(batch.assignment_duration),
            _seconds(batch.auto_approval_delay),
            pacific(hit.expires_at),
            "",
            "",
            assignment.mturk_id,
            self.names.get(assignment.worker_id, ""),
            assignment.status,
            pacific(assignment.accepted_at),
            pacific(assignment.submitted_at),
            pacific(assignment.auto_approval_at),
            pacific(assignment.approved_at),
            pacific(assignment.rejected_at),
            assignment.feedback,
            _seconds(assignment.work_time),
            rates.lifetime,
            rates.month,
            rates.week,
        ]

    def _annotation(self, hit: HIT) -> str:
        if self.batch.is_from_elsewhere:
            return hit.annotation
        return annotation_for(hit, project_id=self.batch.project_id, installation=self.installation)


def pacific(moment: datetime | None) -> str:
    """`Wed Nov 20 21:03:26 PST 2019`, as the requester site writes times; English whatever the locale."""
    if moment is None:
        return ""
    local = moment.astimezone(PACIFIC)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[local.weekday()]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[
        local.month - 1
    ]
    return f"{day} {month} {local.day:02d} {local:%H:%M:%S} {local.tzname()} {local.year}"


def _seconds(length: timedelta) -> str:
    return str(int(length.total_seconds()))


@dataclass(frozen=True)
class Rates:
    """A Worker's approval rates with this team: `67% (2/3)`."""

    lifetime: str
    month: str
    week: str


def approval_rates(batch: Batch) -> dict[int, Rates]:
    """Worker key → rates over all their decided answers on this Connection for this team."""
    now = clock.now()
    month = Q(submitted_at__gte=now - timedelta(days=30))
    week = Q(submitted_at__gte=now - timedelta(days=7))
    approved = Q(status=AssignmentStatus.APPROVED)
    decided = approved | Q(status=AssignmentStatus.REJECTED)
    workers = Assignment.objects.filter(batch=batch).order_by().values("worker")
    rows = (
        Assignment.objects.filter(
            team_id=batch.team_id, connection_id=batch.connection_id, worker__in=workers
        )
        .order_by()
        .values("worker")
        .annotate(
            a=Count("pk", filter=approved),
            d=Count("pk", filter=decided),
            am=Count("pk", filter=approved & month),
            dm=Count("pk", filter=decided & month),
            aw=Count("pk", filter=approved & week),
            dw=Count("pk", filter=decided & week),
        )
    )
    return {
        row["worker"]: Rates(
            _rate(row["a"], row["d"]), _rate(row["am"], row["dm"]), _rate(row["aw"], row["dw"])
        )
        for row in rows
    }


def _rate(approved: int, decided: int) -> str:
    share = round(100 * approved / decided) if decided else 0
    return f"{share}% ({approved}/{decided})"


# JSON Lines ---------------------------------------------------------------------------------------


def results_jsonl(
    batch: Batch, *, by: Actor, assignments: QuerySet[Assignment] | None = None
) -> Iterator[bytes]:
    """One JSON object per answer: ids, times in UTC, the row's input, every answer field as it came."""
    check_can(by, Permission.RESULTS_EXPORT, batch.team_id)
    return _json_lines(batch, by, exported(batch) if assignments is None else assignments)


def _json_lines(batch: Batch, by: Actor, assignments: QuerySet[Assignment]) -> Iterator[bytes]:
    names = shown_ids(
        batch.team_id,
        Assignment.objects.filter(batch=batch).order_by().values_list("worker_id", flat=True).distinct(),
        by,
    )
    for assignment in _read(with_bonuses(assignments)):
        yield _line(as_object(assignment, batch.columns, names.get(assignment.worker_id, "")))


def with_bonuses(assignments: QuerySet[Assignment]) -> QuerySet[Assignment]:
    """Each with the bonuses that were paid for it, as `paid_bonuses`."""
    paid = Bonus.objects.paid().filter(assignment=OuterRef("pk")).order_by("pk")
    told = JSONObject(amount=Cast("amount", TextField()), reason="reason")
    return assignments.annotate(paid_bonuses=ArraySubquery(paid.values(told=told)))


def as_object(assignment: Any, columns: Sequence[str], worker: str) -> dict[str, Any]:
    """One answer, read with its row, its HIT, its bonuses and what was answered as `given`; `worker` is what they may be called."""
    return {
        "assignment_id": assignment.mturk_id,
        "hit_id": assignment.hit.mturk_id,
        "worker_id": worker,
        "row": assignment.row.number,
        "status": assignment.status,
        "accept_time": _utc(assignment.accepted_at),
        "submit_time": _utc(assignment.submitted_at),
        "approval_time": _utc(assignment.approved_at),
        "rejection_time": _utc(assignment.rejected_at),
        "feedback": assignment.feedback,
        "bonuses": assignment.paid_bonuses,
        "work_time_in_seconds": int(assignment.work_time.total_seconds()),
        "left_out": assignment.left_out_at is not None,
        "input": {name: assignment.row.input.get(name) for name in columns},
        "output": {
            name: values[0] if len(values) == 1 else values
            for name, values in sorted((assignment.given or {}).items())
        },
    }


# Ends of lines for readers that split text as Unicode has it; in JSON they stand only within strings.
_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).translate(_LINE_ENDS).encode("utf-8", "replace") + b"\n"


def _utc(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


# One item per row ---------------------------------------------------------------------------------


def results_json(batch: Batch, *, by: Actor) -> Iterator[bytes]:
    """A JSON list with one object per row: item, hit_id, status, count of answers, answers, and their mean."""
    check_can(by, Permission.RESULTS_EXPORT, batch.team_id)
    return _json_items(batch)


def _json_items(batch: Batch) -> Iterator[bytes]:
    field = main_field(batch.project.main_field, batch.answer_fields)
    yield b"["
    separator = b"\n"
    rows = BatchRow.objects.filter(batch=batch).select_related("result").order_by("number")
    for row, answers, hit_id, status in _with_answers(rows, field):
        values = [_number_or_text(answer) for answer in answers]
        average = mean(answers)
        item = {
            "item": _item(row, batch.columns),
            "hit_id": hit_id,
            "status": status,
            "assignments_submitted_count": row.result.answers,
            "answers": values,
            "avg_answer": float(average) if average is not None else None,
        }
        yield separator + json.dumps(item, ensure_ascii=False).encode("utf-8", "replace")
        separator = b",\n"
    yield b"\n]\n"


def _item(row: BatchRow, columns: list[str]) -> Any:
    """The one value of a row, or the row with its columns in the order of the upload."""
    values = {name: row.input.get(name) for name in columns}
    return values[columns[0]] if len(columns) == 1 else values


def _with_answers(
    rows: QuerySet[BatchRow], field: str
) -> Iterator[tuple[BatchRow, list[str], str | None, str]]:
    """Rows in portions, each with what Workers answered in the field, its HIT and that HIT's status."""
    last = 0
    while portion := list(rows.filter(number__gt=last)[:CHUNK]):
        last = portion[-1].number
        answers: dict[int, list[str]] = {}
        found = (
            Assignment.objects.kept()
            .filter(row__in=[row.pk for row in portion])
            .order_by("submitted_at", "id")
            .values_list("row_id", "answer__fields")
        )
        for row_id, fields in found.iterator(chunk_size=CHUNK):
            answers.setdefault(row_id, []).extend((fields or {}).get(field, []))
        hits: dict[int, tuple[str | None, str]] = {row.pk: (None, "") for row in portion}
        for row_id, mturk_id, status in (
            HIT.objects.filter(row__in=list(hits))
            .order_by("round")
            .values_list("row_id", "mturk_id", "hit_status")
        ):
            hits[row_id] = (mturk_id, status)
        for row in portion:
            yield row, answers.get(row.pk, []), *hits[row.pk]


def _number_or_text(answer: str) -> int | float | str:
    number = as_number(answer)
    if number is None:
        return answer
    return int(number) if number == number.to_integral_value() else float(number)

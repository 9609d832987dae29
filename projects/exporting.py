"""Results as they are taken away: JSON Lines, and one JSON item per row; streamed. The CSV is written by `results_table`.

No export holds the batch in memory. WorkerId is the pseudonym unless the person may see real ids.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, QuerySet, TextField
from django.db.models.functions import Cast, JSONObject

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.workers.naming import shown_ids
from projects.chains import item_rows, items_of, with_those_that_continue
from projects.means import as_number, main_field, mean
from projects.models import HIT, Assignment, Batch, BatchRow, Bonus, RowResult
from projects.states import AssignmentStatus

# Answers in memory at a time; each of them, and its row, may be 64 KB.
CHUNK = 200


@dataclass(frozen=True)
class Chosen:
    """Which answers of a batch are taken away: collected from `since` on and before `until`, where these are given.

    `continued` takes those of the batches that continue it along, so that each item has all of its answers.
    """

    with_left_out: bool = False
    with_rejected: bool = True
    since: datetime | None = None
    until: datetime | None = None
    continued: bool = False

    def batches(self, batch: Batch) -> list[Batch]:
        """The batches whose answers are taken away."""
        return with_those_that_continue(batch) if self.continued else [batch]

    def of(self, batch: Batch) -> QuerySet[Assignment]:
        """In the order of rows."""
        return self.filter(Assignment.objects.filter(batch=batch)).order_by(
            "row__number", "submitted_at", "id"
        )

    def filter(self, answers: QuerySet[Assignment]) -> QuerySet[Assignment]:
        if not self.with_left_out:
            answers = answers.filter(left_out_at__isnull=True)
        if not self.with_rejected:
            answers = answers.exclude(status=AssignmentStatus.REJECTED)
        if self.since:
            answers = answers.filter(collected_at__gte=self.since)
        if self.until:
            answers = answers.filter(collected_at__lt=self.until)
        return answers


USUAL = Chosen()


def _read(assignments: QuerySet[Assignment]) -> Iterator[Any]:
    """The answers one after the other, each with its row and HIT, and what was answered as `given`."""
    # Not as `answer`: that would bring the XML, and each object would hold the other in memory.
    found = assignments.select_related("hit", "row").annotate(given=F("answer__fields"))
    return found.iterator(chunk_size=CHUNK)


# JSON Lines ---------------------------------------------------------------------------------------


def results_jsonl(batch: Batch, *, by: Actor, chosen: Chosen = USUAL) -> Iterator[bytes]:
    """One JSON object per answer: ids, times in UTC, the row's input, every answer field as it came."""
    check_can(by, Permission.RESULTS_EXPORT, batch.team_id)
    return _json_lines(batch, by, chosen)


def _json_lines(batch: Batch, by: Actor, chosen: Chosen) -> Iterator[bytes]:
    for each in chosen.batches(batch):
        workers = Assignment.objects.filter(batch=each).order_by().values_list("worker_id", flat=True)
        names = shown_ids(each.team_id, workers.distinct(), by)
        answers = chosen.of(each).annotate(first_number=F("row__continues__number"))
        for answer in _read(with_bonuses(answers)):
            told = as_object(answer, batch.columns, names.get(answer.worker_id, ""))
            if chosen.continued:
                told |= {"row": answer.first_number or answer.row.number, "batch": each.name}
            yield _line(told)


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


def row_jsonl(row: BatchRow, *, by: Actor) -> Iterator[bytes]:
    """All answers to one row's item, also those left out, as in JSON Lines, each with MTurk's own XML as `raw_xml`."""
    check_can(by, Permission.RESULTS_EXPORT, row.team_id)
    return _raw_lines(row, by)


def _raw_lines(row: BatchRow, by: Actor) -> Iterator[bytes]:
    rows = list(item_rows(row).values_list("pk", flat=True))
    answers = Assignment.objects.filter(row__in=rows).order_by("submitted_at", "id")
    names = shown_ids(row.team_id, answers.order_by().values_list("worker_id", flat=True), by)
    for answer in _read(with_bonuses(answers).annotate(raw_xml=F("answer__raw_xml"))):
        told = as_object(answer, row.batch.columns, names.get(answer.worker_id, ""))
        yield _line(told | {"raw_xml": answer.raw_xml})


# Ends of lines for readers that split text as Unicode has it; in JSON they stand only within strings.
_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).translate(_LINE_ENDS).encode("utf-8", "replace") + b"\n"


def _utc(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


# One item per row ---------------------------------------------------------------------------------


def results_json(batch: Batch, *, by: Actor, chosen: Chosen = USUAL) -> Iterator[bytes]:
    """A JSON list with one object per row of the batch: item, hit_id, status, count of answers, answers, and their mean."""
    check_can(by, Permission.RESULTS_EXPORT, batch.team_id)
    return _json_items(batch, chosen)


def _json_items(batch: Batch, chosen: Chosen) -> Iterator[bytes]:
    field = main_field(batch.project.main_field, answer_fields(chosen.batches(batch)))
    yield b"["
    separator = b"\n"
    rows = BatchRow.objects.filter(batch=batch).order_by("number")
    for row, count, answers, hit_id, status in _with_answers(rows, field, chosen):
        values = [_number_or_text(answer) for answer in answers]
        average = mean(answers)
        item = {
            "item": _item(row, batch.columns),
            "hit_id": hit_id,
            "status": status,
            "assignments_submitted_count": count,
            "answers": values,
            "avg_answer": float(average) if average is not None else None,
        }
        yield separator + json.dumps(item, ensure_ascii=False).encode("utf-8", "replace")
        separator = b",\n"
    yield b"\n]\n"


def answer_fields(batches: Iterable[Batch]) -> list[str]:
    """Every field that was answered in one of the batches, sorted."""
    return sorted({name for batch in batches for name in batch.answer_fields})


def _item(row: BatchRow, columns: list[str]) -> Any:
    """The one value of a row, or the row with its columns in the order of the upload."""
    values = {name: row.input.get(name) for name in columns}
    return values[columns[0]] if len(columns) == 1 else values


def _with_answers(
    rows: QuerySet[BatchRow], field: str, chosen: Chosen
) -> Iterator[tuple[BatchRow, int, list[str], str | None, str]]:
    """Rows in portions, each with how many answers it has, those in the field, its newest HIT and that HIT's status."""
    last = 0
    while portion := list(rows.filter(number__gt=last)[:CHUNK]):
        last = portion[-1].number
        own = [row.pk for row in portion]
        items = items_of(own) if chosen.continued else {key: key for key in own}
        counts = dict.fromkeys(own, 0)
        for result in RowResult.objects.filter(row__in=list(items)):
            counts[items[result.row_id]] += result.answers
        answers: dict[int, list[str]] = {}
        found = (
            chosen.filter(Assignment.objects.filter(row__in=list(items)))
            .order_by("submitted_at", "id")
            .values_list("row_id", "answer__fields")
        )
        for row_id, fields in found.iterator(chunk_size=CHUNK):
            answers.setdefault(items[row_id], []).extend((fields or {}).get(field, []))
        hits: dict[int, tuple[str | None, str]] = dict.fromkeys(own, (None, ""))
        for row_id, mturk_id, status in (
            HIT.objects.filter(row__in=list(items))
            .order_by("row_id", "round")
            .values_list("row_id", "mturk_id", "hit_status")
        ):
            hits[items[row_id]] = (mturk_id, status)
        for row in portion:
            yield row, counts[row.pk], answers.get(row.pk, []), *hits[row.pk]


def _number_or_text(answer: str) -> int | float | str:
    number = as_number(answer)
    if number is None:
        return answer
    return int(number) if number == number.to_integral_value() else float(number)

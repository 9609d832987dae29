"""Results as a CSV in the requester site's columns, to the letter; its lines are written by Postgres.

To make objects of the answers takes Python ten times as long as the whole file takes Postgres.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, groupby
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Q

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.common import clock
from mturkhub.common.models import Installation
from mturkhub.common.tabular import csv_line, for_spreadsheet
from mturkhub.workers.naming import shown_ids
from projects.annotations import ANNOTATION
from projects.columns import DECISION_COLUMNS, result_header
from projects.exporting import USUAL, Chosen, answer_fields
from projects.models import Assignment, Batch
from projects.states import AssignmentStatus

# Lines fetched at a time; an answer, and its row, may be 64 KB.
CHUNK = 500
# Of one call to `concat`; Postgres takes 100.
ARGUMENTS = 90


@dataclass(frozen=True)
class Same:
    """A piece of a cell that is the same in every line of a batch. Any other piece is an SQL expression."""

    text: str


Piece = str | Same


def results_csv(
    batch: Batch, *, by: Actor, chosen: Chosen = USUAL, spreadsheet: bool = False
) -> Iterator[bytes]:
    """A header and one line per answer, in the order of rows, every field quoted; UTF-8.

    `spreadsheet` makes the variant to open in one: no cell is a formula, and a byte order mark says that it is UTF-8.
    """
    check_can(by, Permission.RESULTS_EXPORT, batch.team_id)
    batches = chosen.batches(batch)
    fields = answer_fields(batches)
    header = csv_line(result_header(batch.columns, fields), quote_all=True)
    parts = chain([header], *(_lines(each, by, chosen, fields) for each in batches))
    if spreadsheet:
        return chain([codecs.BOM_UTF8], (_defused(part).encode() for part in parts))
    return (part.encode() for part in parts)


def _defused(lines: str) -> str:
    cells = csv.reader(io.StringIO(lines, newline=""))
    return "".join(csv_line(map(for_spreadsheet, line), quote_all=True) for line in cells)


def _lines(batch: Batch, by: Actor, chosen: Chosen, fields: list[str]) -> Iterator[str]:
    """Some lines at a time, with a cell for each of these answer fields."""
    cells, values = _cells(batch, fields)
    line, same = _line_of(cells)
    values |= (
        _workers(batch, by)
        | same
        | {
            "batch": batch.pk,
            "with_left_out": chosen.with_left_out,
            "with_rejected": chosen.with_rejected,
            "since": chosen.since,
            "until": chosen.until,
        }
    )
    with transaction.atomic(), connection.cursor() as setting, connection.chunked_cursor() as cursor:
        setting.execute("set local time zone 'America/Los_Angeles'")
        # All lines will be read, not the first tenth of them.
        setting.execute("set local cursor_tuple_fraction = 1")
        cursor.execute(f"select {line} {_ANSWERS}", values)
        while found := cursor.fetchmany(CHUNK):
            yield "".join(line for (line,) in found)
        # Whoever reads times in the same transaction takes them for this zone's.
        setting.execute("set local time zone %s", [connection.timezone_name])


def _line_of(cells: list[list[Piece]]) -> tuple[str, dict[str, str]]:
    """The expression for a line, all cells quoted, with commas between them, and the values in it. Nothing is written for null."""
    pieces: list[Piece] = [Same('"')]
    for cell in cells:
        pieces += [*cell, Same('","')]
    pieces[-1] = Same('"\r\n')
    parts: list[str] = []
    values: dict[str, str] = {}
    for is_same, some in groupby(pieces, key=lambda piece: isinstance(piece, Same)):
        if is_same:
            name = f"same_{len(parts)}"
            values[name] = "".join(piece.text for piece in some if isinstance(piece, Same))
            parts.append(f"%({name})s")
        else:
            parts += (piece for piece in some if isinstance(piece, str))
    while len(parts) > 1:
        parts = [f"concat({', '.join(some)})" for some in _portions(parts)]
    return parts[0], values


def _portions(parts: list[str]) -> Iterator[list[str]]:
    for begin in range(0, len(parts), ARGUMENTS):
        yield parts[begin : begin + ARGUMENTS]


_ANSWERS = """
from projects_assignment a
    join projects_batchrow r on r.id = a.row_id
    join projects_hit h on h.id = a.hit_id
    left join projects_hittype t on t.id = h.hit_type_id
    left join projects_assignmentanswer x on x.assignment_id = a.id
    left join unnest(%(workers)s::bigint[], %(names)s::text[], %(ever)s::text[], %(month)s::text[], %(week)s::text[])
        as w (id, name, ever, month, week) on w.id = a.worker_id
where a.batch_id = %(batch)s
    and (%(with_left_out)s or a.left_out_at is null)
    and (%(with_rejected)s or a.status <> 'Rejected')
    and (%(since)s::timestamptz is null or a.collected_at >= %(since)s)
    and (%(until)s::timestamptz is null or a.collected_at < %(until)s)
order by r.number, a.submitted_at, a.id
"""


def _cells(batch: Batch, fields: list[str]) -> tuple[list[list[Piece]], dict[str, Any]]:
    """The pieces of each column's cell, and the values in them."""
    cells: list[list[Piece]] = [
        [_quoted("h.mturk_id")],
        [_quoted("t.mturk_id")],
        _same(batch.title),
        _same(batch.description),
        _same(batch.keywords),
        _same(f"${batch.reward}"),
        [_time("h.mturk_created_at")],
        ["h.max_assignments"],
        [_quoted("h.annotation")] if batch.is_from_elsewhere else _annotation(batch),
        _same(_seconds(batch.assignment_duration)),
        _same(_seconds(batch.auto_approval_delay)),
        [_time("h.expires_at")],
        [],
        [],
        [_quoted("a.mturk_id")],
        [_quoted("w.name")],
        ["a.status"],
        [_time("a.accepted_at")],
        [_time("a.submitted_at")],
        [_time("a.auto_approval_at")],
        [_time("a.approved_at")],
        [_time("a.rejected_at")],
        [_quoted("a.feedback")],
        ["trunc(extract(epoch from a.work_time))"],
        ["w.ever"],
        ["w.month"],
        ["w.week"],
    ]
    values: dict[str, Any] = {}
    for number, name in enumerate(batch.columns):
        values[f"input_{number}"] = name
        cells.append([_quoted(_as_text(f"r.input -> %(input_{number})s"))])
    for number, name in enumerate(fields):
        values[f"field_{number}"] = name
        cells.append([_quoted(_joined(f"x.fields -> %(field_{number})s"))])
    return cells + [[] for _ in DECISION_COLUMNS], values


def _annotation(batch: Batch) -> list[Piece]:
    before, after = ANNOTATION.split("{hit}")
    names = {"batch": batch.pk, "project": batch.project_id, "installation": Installation.current_id()}
    return [Same(before.format(**names)), "h.public_id", Same(after.format(**names))]


def _same(text: str) -> list[Piece]:
    return [Same(text.replace('"', '""'))]


def _seconds(length: timedelta) -> str:
    return str(int(length.total_seconds()))


def _quoted(text: str) -> str:
    return f"""replace({text}, '"', '""')"""


def _time(moment: str) -> str:
    """`Wed Nov 20 21:03:26 PST 2019` in the session's time zone; English whatever the locale."""
    return f"to_char({moment}, 'Dy Mon DD HH24:MI:SS TZ YYYY')"


def _as_text(value: str) -> str:
    """As `placeholders.as_text` has it: text as it is, other JSON values as JSON, nothing as nothing."""
    json = f"replace(({value})::text, '<', '\\u003c')"
    return f"case jsonb_typeof({value}) when 'string' then ({value}) #>> '{{}}' when 'null' then '' else {json} end"


def _joined(values: str) -> str:
    """What was answered in one field, several values with a bar between them."""
    every_one = f"select string_agg(each, '|') from jsonb_array_elements_text({values}) each"  # noqa: S608 - ours
    return f"case jsonb_array_length({values}) when 1 then ({values}) ->> 0 else ({every_one}) end"


# Workers ------------------------------------------------------------------------------------------


def _workers(batch: Batch, by: Actor) -> dict[str, list[Any]]:
    """The batch's Workers, what each may be called, and their approval rates."""
    rates = approval_rates(batch)
    names = shown_ids(batch.team_id, rates, by)
    return {
        "workers": list(rates),
        "names": [names.get(worker, "") for worker in rates],
        "ever": [each.ever for each in rates.values()],
        "month": [each.month for each in rates.values()],
        "week": [each.week for each in rates.values()],
    }


@dataclass(frozen=True)
class Rates:
    """A Worker's approval rates with this team: `67% (2/3)`."""

    ever: str
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

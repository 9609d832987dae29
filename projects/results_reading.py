"""Reads a results CSV as the requester site writes it, and names each line that cannot be imported.

Times are Pacific, and each says whether of winter or summer; nothing is guessed about those of a spreadsheet.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any, BinaryIO, TypeVar

from mturkhub.accounts.models import Connection
from mturkhub.common.encodings import NotUTF8
from mturkhub.common.errors import ActionRefused
from mturkhub.common.tabular import JSON_LINES, Issue, Row, Table, read_table
from projects.models import HIT, Assignment, ForeignHIT
from projects.states import AssignmentStatus

NEEDED = ["HITId", "AssignmentId", "WorkerId", "AssignmentStatus", "AcceptTime", "SubmitTime"]
# What all lines of a file have in common: a Batch has one of each.
TERMS = [
    "Title",
    "Description",
    "Keywords",
    "Reward",
    "AssignmentDurationInSeconds",
    "AutoApprovalDelayInSeconds",
]
# Of a HIT, and so the same on each of its lines.
OF_HIT = ["HITTypeId", "CreationTime", "MaxAssignments", "RequesterAnnotation", "Expiration"]
INPUT, ANSWER = "Input.", "Answer."
SHOWN_ISSUES = 50
MOST_LINES = 100_000
CHUNK = 500

ItemT = TypeVar("ItemT")

_ID = re.compile(r"[A-Z0-9]{2,64}")
_WORKER = re.compile(r"A[A-Z0-9]{1,63}")
_TIME = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d{1,2}) (\d\d):(\d\d):(\d\d) (PST|PDT|UTC|GMT) (\d{4})")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_ZONES = {"PST": -8, "PDT": -7, "UTC": 0, "GMT": 0}


@dataclass(frozen=True)
class ResultLine:
    """A good line: one answer, with the HIT it belongs to."""

    line: int
    hit_id: str
    assignment_id: str
    worker_id: str
    status: str
    accepted_at: datetime
    submitted_at: datetime
    auto_approval_at: datetime | None
    approved_at: datetime | None
    rejected_at: datetime | None
    created_at: datetime | None
    expires_at: datetime | None
    feedback: str
    work_time: timedelta
    max_assignments: int | None
    hit_type_id: str
    annotation: str
    terms: tuple[str, ...]
    input: dict[str, str]
    answer: dict[str, list[str]]


@dataclass
class ResultsReport:
    """What the check found. `refusal` stops everything; else `rows` lines are good and `bad_lines` are not."""

    refusal: str = ""
    is_other_encoding: bool = False
    # Then what Python and what people call each encoding the file could be in.
    encodings: list[list[str]] = field(default_factory=list)
    rows: int = 0
    bad_lines: int = 0
    hits: int = 0
    workers: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    first: str = ""
    last: str = ""
    title: str = ""
    inputs: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "ResultsReport":
        return cls(**{**stored, "issues": [Issue(**issue) for issue in stored["issues"]]})


def check_results(
    stream: BinaryIO, name: str, encoding: str, *, connection: Connection, team_id: int
) -> ResultsReport:
    """The report of one file; what the Connection has already is named as a bad line."""
    report = ResultsReport()
    try:
        table = results_table(stream, name, encoding)
        report.inputs, report.answers = named(table, INPUT), sorted(named(table, ANSWER))
        hits: set[str] = set()
        workers: set[str] = set()
        statuses: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        times: list[datetime] = []
        for each in result_lines(table, connection=connection, team_id=team_id):
            if isinstance(each, Issue):
                report.bad_lines += 1
                kinds[each.kind] += 1
                report.issues += [each] if len(report.issues) < SHOWN_ISSUES else []
                continue
            report.rows += 1
            report.title = report.title or each.terms[0]
            hits.add(each.hit_id)
            workers.add(each.worker_id)
            statuses[each.status] += 1
            times = [min([*times[:1], each.submitted_at]), max([*times[1:], each.submitted_at])]
        report.hits, report.workers = len(hits), len(workers)
        report.statuses, report.kinds = dict(statuses.most_common()), dict(kinds.most_common())
        if times:
            report.first, report.last = times[0].isoformat(), times[1].isoformat()
        if not report.rows:
            report.refusal = (
                "No line of the file can be imported; each is named below."
                if report.bad_lines
                else "The file has a header and no answers."
            )
    except NotUTF8 as refused:
        return ResultsReport(refusal=refused.sentence, is_other_encoding=True)
    except ActionRefused as refused:
        return ResultsReport(refusal=refused.sentence)
    return report


def results_table(stream: BinaryIO, name: str, encoding: str) -> Table:
    """The file as a table with the columns of the requester site; raises ActionRefused where it is another one."""
    table = read_table(stream, name, encoding)
    if table.format == JSON_LINES:
        raise ActionRefused("This is JSON Lines. Upload the results CSV of the requester site.", status=400)
    if missing := [column for column in NEEDED if column not in table.columns]:
        raise ActionRefused(
            f"The file has no column “{missing[0]}”, so it is no results file of the requester site. Take it as it was "
            "downloaded (Batch_…_batch_results.csv).",
            status=400,
        )
    return table


def named(table: Table, prefix: str) -> list[str]:
    """The names of its `Input.…` or `Answer.…` columns, in their order."""
    return [column.removeprefix(prefix) for column in table.columns if column.startswith(prefix)]


def result_lines(table: Table, *, connection: Connection, team_id: int) -> Iterator[ResultLine | Issue]:
    """Each line: good, or what is wrong with it."""
    seen: dict[str, int] = {}
    first: dict[str, ResultLine] = {}
    terms: ResultLine | None = None
    for lines in portions(_read(table), CHUNK):
        known = _known([each for each in lines if isinstance(each, ResultLine)], connection, team_id)
        for each in lines:
            if isinstance(each, Issue):
                yield each
                continue
            terms = terms or each
            wrong = (
                known.get(each.line)
                or _twice(each, seen)
                or _other_terms(each, terms)
                or _other_hit(each, first.setdefault(each.hit_id, each))
            )
            seen.setdefault(each.assignment_id, each.line)
            yield wrong or each


def portions(items: Iterable[ItemT], size: int) -> Iterator[list[ItemT]]:
    """The items in lists of so many."""
    rest = iter(items)
    while portion := list(islice(rest, size)):
        yield portion


def _read(table: Table) -> Iterator[ResultLine | Issue]:
    for number, record in enumerate(table.records, 1):
        if number > MOST_LINES:
            raise ActionRefused(
                f"The file has more than {MOST_LINES:,} answers. Split it, each part with the header line and all answers "
                "of its HITs, and import the parts.",
                status=400,
            )
        yield record if isinstance(record, Issue) else _line(record)


# One line -----------------------------------------------------------------------------------------


class _Wrong(Exception):
    def __init__(self, column: str, found: str, words: str, kind: str) -> None:
        super().__init__(words)
        self.column, self.found, self.words, self.kind = column, found, words, kind


def _line(row: Row) -> ResultLine | Issue:
    try:
        return _result(row.line, {name: str(value) for name, value in row.values.items()})
    except _Wrong as wrong:
        where = f"Line {row.line}, column “{wrong.column}”"
        return Issue(row.line, wrong.column, wrong.found[:80], f"{where}: {wrong.words}", wrong.kind)


def _result(line: int, cells: dict[str, str]) -> ResultLine:
    status = cells["AssignmentStatus"]
    if status not in AssignmentStatus.values:
        words = f"“{status[:40]}” is none of {', '.join(AssignmentStatus.values)}. Correct it."
        raise _Wrong("AssignmentStatus", status, words, "an unknown status")
    accepted, submitted = _needed_time(cells, "AcceptTime"), _needed_time(cells, "SubmitTime")
    if submitted < accepted:
        raise _Wrong(
            "SubmitTime",
            cells["SubmitTime"],
            "It lies before AcceptTime. Correct one of the two.",
            "impossible times",
        )
    seconds = _number(cells, "WorkTimeInSeconds")
    reward = cells.get("Reward", "")
    _reward(reward)
    _number(cells, "AssignmentDurationInSeconds")
    _number(cells, "AutoApprovalDelayInSeconds")
    return ResultLine(
        line=line,
        hit_id=_identifier(cells, "HITId", _ID),
        assignment_id=_identifier(cells, "AssignmentId", _ID),
        worker_id=_identifier(cells, "WorkerId", _WORKER),
        status=status,
        accepted_at=accepted,
        submitted_at=submitted,
        auto_approval_at=_time(cells, "AutoApprovalTime"),
        approved_at=_time(cells, "ApprovalTime"),
        rejected_at=_time(cells, "RejectionTime"),
        created_at=_time(cells, "CreationTime"),
        expires_at=_time(cells, "Expiration"),
        feedback=cells.get("RequesterFeedback", ""),
        work_time=submitted - accepted if seconds is None else timedelta(seconds=seconds),
        max_assignments=_number(cells, "MaxAssignments", most=1_000_000_000),
        hit_type_id=cells.get("HITTypeId", "")[:64],
        annotation=cells.get("RequesterAnnotation", ""),
        terms=tuple(cells.get(name, "") for name in TERMS),
        input={name.removeprefix(INPUT): cell for name, cell in cells.items() if name.startswith(INPUT)},
        # One text even where a Worker ticked several, which the file joins with “|”: answers may hold that as well.
        answer={
            name.removeprefix(ANSWER): [cell]
            for name, cell in cells.items()
            if name.startswith(ANSWER) and cell
        },
    )


def _identifier(cells: dict[str, str], column: str, form: re.Pattern[str]) -> str:
    text = cells[column]
    if form.fullmatch(text):
        return text
    remedy = (
        "Downloads show a pseudonym to whoever may not see Worker ids; have an owner download the file."
        if column == "WorkerId"
        else "Take the file as it was downloaded; spreadsheets change such cells."
    )
    raise _Wrong(column, text, f"“{text[:40]}” is no {column}. {remedy}", f"no {column}")


def _needed_time(cells: dict[str, str], column: str) -> datetime:
    moment = _time(cells, column)
    if moment is None:
        raise _Wrong(column, "", "It is empty, and every answer has one. Fill it in.", "an empty time")
    return moment


def _time(cells: dict[str, str], column: str) -> datetime | None:
    """`Wed Nov 20 21:03:26 PST 2019`; the abbreviation says which side of a clock change it is on."""
    text = cells.get(column, "").strip()
    if not text:
        return None
    found = _TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        month, day, hour, minute, second, zone, year = found.groups()
        at = datetime(
            int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
        return at.replace(tzinfo=timezone(timedelta(hours=_ZONES[zone]))).astimezone(UTC)
    except (ValueError, OverflowError):
        words = (
            f"“{text[:40]}” is no time like “Wed Nov 20 21:03:26 PST 2019”. Take the file as it was downloaded; "
            "spreadsheets rewrite times."
        )
        raise _Wrong(column, text, words, "an unreadable time") from None


def _number(cells: dict[str, str], column: str, most: int = 31_536_000) -> int | None:
    text = cells.get(column, "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) > most:
        words = f"“{text[:40]}” is no whole number from 0 to {most:,}. Correct it."
        raise _Wrong(column, text, words, "an unreadable number")
    return int(text)


def _reward(text: str) -> Decimal:
    try:
        amount = Decimal(text.strip().removeprefix("$") or "0.00")
        if not amount.is_finite() or not 0 <= amount < 1_000_000 or amount != round(amount, 2):
            raise InvalidOperation
    except InvalidOperation:
        raise _Wrong(
            "Reward", text, f"“{text[:40]}” is no sum like “$0.05”. Correct it.", "an unreadable reward"
        ) from None
    return round(amount, 2)


@dataclass(frozen=True)
class Terms:
    """What all HITs of the file have in common."""

    title: str
    description: str
    keywords: str
    reward: Decimal
    assignment_duration: timedelta | None
    auto_approval_delay: timedelta | None


def terms_of(line: ResultLine) -> Terms:
    title, description, keywords, reward, duration, delay = line.terms
    return Terms(title, description, keywords, _reward(reward), _length(duration), _length(delay))


def _length(seconds: str) -> timedelta | None:
    return timedelta(seconds=int(seconds)) if seconds.strip() else None


# Lines beside each other --------------------------------------------------------------------------


def _known(lines: Iterable[ResultLine], connection: Connection, team_id: int) -> dict[int, Issue]:
    """Lines whose HIT or answer the Connection has already, by line."""
    lines = list(lines)
    hit_ids = {each.hit_id for each in lines}
    hits = {
        str(hit.mturk_id): hit
        for hit in HIT.objects.filter(connection=connection, mturk_id__in=hit_ids).select_related("batch")
    }
    assignment_ids = {each.assignment_id for each in lines}
    answers = {
        answer.mturk_id: answer
        for answer in Assignment.objects.filter(
            connection=connection, mturk_id__in=assignment_ids
        ).select_related("batch")
    }
    listed = ForeignHIT.objects.listed().filter(connection=connection, mturk_id__in=hit_ids)
    at_market = set(listed.values_list("mturk_id", flat=True))
    issues = {}
    for each in lines:
        where = f"Line {each.line}, column “HITId”"
        if found := hits.get(each.hit_id) or answers.get(each.assignment_id):
            whose = f"in the batch “{found.batch}”" if found.team_id == team_id else "with another team here"
            words = f"{where}: this HIT is {whose} already. Leave the line out."
            issues[each.line] = Issue(each.line, "HITId", each.hit_id, words, "a HIT that is known already")
        elif each.hit_id in at_market:
            words = (
                f"{where}: this HIT is still at MTurk. Have an owner of the account adopt it under Connections, Made "
                "elsewhere: then its answers can be decided, too."
            )
            issues[each.line] = Issue(each.line, "HITId", each.hit_id, words, "still at MTurk")
    return issues


def _twice(each: ResultLine, seen: dict[str, int]) -> Issue | None:
    before = seen.get(each.assignment_id)
    if before is None:
        return None
    words = (
        f"Line {each.line}, column “AssignmentId”: line {before} has the same answer. Leave one of them out."
    )
    return Issue(each.line, "AssignmentId", each.assignment_id, words, "the same answer twice")


def _other_terms(each: ResultLine, first: ResultLine) -> Issue | None:
    for column, value, usual in zip(TERMS, each.terms, first.terms, strict=True):
        if value != usual:
            words = (
                f"Line {each.line}, column “{column}”: “{value[:40]}”, and line {first.line} says “{usual[:40]}”. Import "
                "HITs with other terms as a file of their own."
            )
            return Issue(each.line, column, value[:80], words, "other terms than the first line")
    return None


def _other_hit(each: ResultLine, first: ResultLine) -> Issue | None:
    """What a HIT asked is the same on each of its lines."""
    for name, value in each.input.items():
        if value != first.input.get(name):
            words = (
                f"Line {each.line}, column “{INPUT}{name}”: line {first.line} has the same HIT with another value. "
                "Correct one of the two."
            )
            return Issue(each.line, f"{INPUT}{name}", value[:80], words, "one HIT with two inputs")
    return None

"""Checks an uploaded file line by line against a template, before anything is saved or costs anything."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, BinaryIO

from mturkhub.common.encodings import UTF_8, NotUTF8, Offer
from mturkhub.common.errors import ActionRefused
from mturkhub.common.tabular import Issue, Row, Table, read_table
from mturkhub.gateway.question_xml import (
    MAX_BYTES,
    find_forbidden_character,
    html_question,
    question_bytes,
)
from projects.placeholders import Match, as_text, fill, match_columns

# Named on the page; the rest is counted by kind and can be downloaded.
SHOWN_ISSUES = 50
SHOWN_EMPTY = 10
# Lines in which good ones are looked for to be shown.
SEARCHED = 10_000


@dataclass
class BatchReport:
    """What the check found. `refusal` stops everything; else `rows` lines are good and `bad_lines` are not."""

    format: str = ""
    columns: list[str] = field(default_factory=list)
    rows: int = 0
    bad_lines: int = 0
    refusal: str = ""
    # It is text in another encoding than it was read in; then these are the ones it could be in.
    is_other_encoding: bool = False
    encodings: list[Offer] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    # What is wrong → on how many lines.
    kinds: dict[str, int] = field(default_factory=dict)
    matched: list[str] = field(default_factory=list)
    # Placeholder without a column → the likeliest column, or "".
    missing: dict[str, str] = field(default_factory=dict)
    doubtful: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    # Placeholder → how many cells are empty, and the first lines of them.
    empty_cells: dict[str, int] = field(default_factory=dict)
    empty_lines: dict[str, list[int]] = field(default_factory=dict)
    largest_question: int = 0
    largest_line: int = 0
    # The template and frame height it was checked with; another one needs another check.
    checked_with: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "BatchReport":
        issues = [Issue(**issue) for issue in stored["issues"]]
        encodings = [Offer(**offer) for offer in stored.get("encodings", [])]
        return cls(**{**stored, "issues": issues, "encodings": encodings})

    @property
    def stops(self) -> list[str]:
        """What must be mended in file or template, in sentences; bad lines may be dropped instead."""
        if self.refusal:
            return [self.refusal]
        sentences = [_missing_sentence(name, near) for name, near in self.missing.items()]
        if not self.rows and not self.bad_lines:
            sentences.append(
                "The file has a header and no rows. Add at least one line below the column names."
                if self.columns
                else "The file is empty."
            )
        elif not self.rows:
            sentences.append(
                "No line of the file can be used. Mend the lines named below, then upload it again."
            )
        return sentences


def _missing_sentence(name: str, near: str) -> str:
    hint = f" Did you mean “{near}”?" if near else ""
    return f"The template asks for ${{{name}}}, and the file has no such column.{hint}"


def _nobody(line: int) -> None:
    pass


def check_file(
    stream: BinaryIO,
    name: str,
    html: str,
    frame_height: int,
    encoding: str = UTF_8,
    at_line: Callable[[int], None] = _nobody,
) -> BatchReport:
    """The report of one file against a template; the memory it takes does not grow with the file.

    `at_line` is told of each line as it is checked.
    """
    try:
        return _check_table(read_table(stream, name, encoding), html, frame_height, at_line)
    except NotUTF8 as refused:
        return BatchReport(refusal=refused.sentence, is_other_encoding=True)
    except ActionRefused as refused:
        return BatchReport(refusal=refused.sentence)


def _check_table(table: Table, html: str, frame_height: int, at_line: Callable[[int], None]) -> BatchReport:
    match = match_columns(html, table.columns)
    report = BatchReport(
        format=table.format,
        columns=table.columns,
        matched=match.matched,
        missing=match.missing,
        doubtful=match.doubtful,
        surplus=match.surplus,
    )
    kinds: Counter[str] = Counter()
    for record in checked(table, html, frame_height):
        at_line(record.line)
        if isinstance(record, Issue):
            report.bad_lines += 1
            kinds[record.kind] += 1
            if len(report.issues) < SHOWN_ISSUES:
                report.issues.append(record)
            continue
        report.rows += 1
        _note_empty(report, record.row, match)
        if record.size > report.largest_question:
            report.largest_question, report.largest_line = record.size, record.row.line
    report.kinds = dict(kinds.most_common())
    return report


@dataclass(frozen=True)
class Checked:
    """A good line, with the bytes its question takes."""

    row: Row
    size: int

    @property
    def line(self) -> int:
        return self.row.line


def checked(table: Table, html: str, frame_height: int) -> Iterator[Checked | Issue]:
    """Each line of the table: good with its question's size, or what is wrong with it."""
    for record in table.records:
        if isinstance(record, Issue):
            yield record
            continue
        page = fill(html, record.values)
        size = question_bytes(html_question(page, frame_height))
        yield _unsendable(record, html, page, size) or Checked(record, size)


def _unsendable(row: Row, html: str, page: str, size: int) -> Issue | None:
    """Why MTurk would not take this line's question."""
    if found := find_forbidden_character(page):
        column = next((name for name, value in row.values.items() if found.character in as_text(value)), "")
        where = f"Line {row.line}, column “{column}”" if column else "The template"
        shown = as_text(row.values[column])[:80] if column else ""
        return Issue(row.line, column, shown, f"{where}: {found.sentence}", "a character MTurk refuses")
    if size > MAX_BYTES:
        column = max(row.values, key=lambda name: len(as_text(row.values[name]).encode()), default="")
        # It may stand in the question more than once.
        surplus = -(-(size - MAX_BYTES) // max(html.count(f"${{{column}}}"), 1))
        sentence = (
            f"The question in line {row.line} would be {size:,} bytes; {MAX_BYTES:,} is the most. "
            f"Shorten “{column}” by {surplus:,} byte{'' if surplus == 1 else 's'}."
        )
        return Issue(
            row.line, column, as_text(row.values[column])[:80], sentence, "a question that is too large"
        )
    return None


def _note_empty(report: BatchReport, row: Row, match: Match) -> None:
    for name in match.matched:
        if not as_text(row.values[name]).strip():
            report.empty_cells[name] = report.empty_cells.get(name, 0) + 1
            lines = report.empty_lines.setdefault(name, [])
            if len(lines) < SHOWN_EMPTY:
                lines.append(row.line)


def first_rows(
    stream: BinaryIO, name: str, count: int, encoding: str = UTF_8, *, html: str = "", frame_height: int = 0
) -> list[Row]:
    """The first good lines of a file for this template, as far as SEARCHED; none where the file cannot be read."""
    rows: list[Row] = []
    try:
        table = read_table(stream, name, encoding)
        for record in islice(checked(table, html, frame_height), SEARCHED):
            if isinstance(record, Checked):
                rows.append(record.row)
            if len(rows) == count:
                break
    except ActionRefused:
        return rows
    return rows

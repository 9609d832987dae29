"""Reads CSV, TSV and JSON Lines as a stream of rows, and names each line that cannot be used.

A row is `{column: value}`: text for CSV and TSV, any JSON value for JSON Lines. Nothing is guessed: what is not UTF-8 is
refused unless a person has said how to read it, and a line that does not fit is an Issue with its number and remedy,
never skipped in silence.
"""

import codecs
import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from mturkhub.common.encodings import UTF_8, NotUTF8, as_utf8, not_text
from mturkhub.common.errors import ActionRefused

CSV, TSV, JSON_LINES = "CSV", "TSV", "JSON Lines"
# Longer than any question may be, so that a forgotten quote is told instead of swallowing the file.
MAX_CELL = 200_000
MAX_LINE_BYTES = 16 * MAX_CELL
MAX_NESTING = 100
MAX_DIGITS = 1000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Issue:
    """One fault: the line of the file, the column's name or empty, what stands there, and what to do."""

    line: int
    column: str
    found: str
    sentence: str
    # Counts together what is wrong in the same way.
    kind: str

    def __post_init__(self) -> None:
        # An issue is stored as JSONB, which takes none of the characters that issues are about.
        for name in ("column", "found", "sentence"):
            object.__setattr__(self, name, _UNSTORABLE.sub(_visible, getattr(self, name)))


def _visible(found: re.Match[str]) -> str:
    return "␀" if found[0] == "\x00" else "\ufffd"


@dataclass(frozen=True)
class Row:
    """One usable line."""

    line: int
    values: dict[str, Any]


class Table:
    """A file being read: `columns` are known at once, rows and issues come as one stream."""

    def __init__(self, format: str, columns: list[str], records: Iterator[Row | Issue]) -> None:
        self.format = format
        self.columns = columns
        self.records = records


def read_table(stream: BinaryIO, name: str, encoding: str = UTF_8) -> Table:
    """The rows of a file; raises ActionRefused when no line of it can be used as it is, NotUTF8 in other encodings.

    The format follows from the file's name or, for pasted text, from its first line.
    """
    text = _TextLines(as_utf8(stream, encoding))
    first = text.peek()
    if not first:
        raise ActionRefused(
            "The file is empty. Its first line names the columns, each further line is a row.", status=400
        )
    if not first.strip():
        raise ActionRefused("Line 1 is empty. It must name the columns; delete the empty line.", status=400)
    format = _format_of(name, first)
    if format == JSON_LINES:
        return _read_json_lines(text)
    return _read_csv(text, format, _delimiter_of(first, format))


def _format_of(name: str, first: str) -> str:
    ending = name.rsplit(".", 1)[-1].lower() if "." in name else ""
    if ending in {"jsonl", "ndjson", "json", "manifest"} or (
        ending in {"", "txt"} and first.lstrip()[:1] == "{"
    ):
        return JSON_LINES
    if ending == "tsv" or (ending in {"", "txt"} and "\t" in first):
        return TSV
    return CSV


def _delimiter_of(first: str, format: str) -> str:
    """Tab for TSV; a header of several names with semicolons and no comma is a European CSV."""
    if format == TSV:
        return "\t"
    return ";" if ";" in first and "," not in first else ","


class _TextLines:
    """Decoded lines with their ends, counted; raises ActionRefused where the bytes are no UTF-8 text."""

    def __init__(self, stream: BinaryIO) -> None:
        self._bytes = stream
        self._held: list[str] = []
        self._is_first = True
        self.line = 0

    def peek(self) -> str:
        line = next(self, "")
        if line:
            self.put_back([line])
        return line

    def put_back(self, lines: list[str]) -> None:
        """These lines, the last that were read, come once more."""
        self._held.extend(reversed(lines))
        self.line -= len(lines)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._held:
            self.line += 1
            return self._held.pop()
        raw = self._bytes.readline(MAX_LINE_BYTES)
        if not raw:
            raise StopIteration
        self.line += 1
        if len(raw) == MAX_LINE_BYTES and not raw.endswith(b"\n"):
            raise ActionRefused(
                f"Line {self.line} has more than {MAX_LINE_BYTES:,} bytes, which is no line of a table. "
                "End each row with a line break.",
                status=400,
            )
        if self._is_first:
            self._is_first = False
            _check_is_text(raw)
            raw = raw.removeprefix(codecs.BOM_UTF8)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NotUTF8(
                f"Line {self.line} is not UTF-8 text: byte {error.object[error.start]:#04x} at position {error.start + 1}. "
                "Choose its encoding, or save the file as UTF-8 (in Excel: “CSV UTF-8”), then upload it again."
            ) from error


# With what the commonest files that are not text begin.
_NOT_TEXT = {
    b"PK\x03\x04": "a spreadsheet or an archive",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet or document",
    b"%PDF-": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\x1f\x8b": "a compressed file",
}


def _check_is_text(raw: bytes) -> None:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise NotUTF8("The file is UTF-16 text. Say so, or save it as UTF-8, then upload it again.")
    for begins, what in _NOT_TEXT.items():
        if raw.startswith(begins):
            raise ActionRefused(not_text(what), status=400)
    if b"\x00" in raw:
        raise NotUTF8(
            "The file is no UTF-8 text: its first line holds NUL bytes. Upload a CSV, TSV or JSON Lines file."
        )


# CSV and TSV --------------------------------------------------------------------------------------


def _read_csv(text: _TextLines, format: str, delimiter: str) -> Table:
    records = _CSVRecords(text, delimiter)
    header = next(records, None)
    if header is None or isinstance(header, Issue):
        raise ActionRefused(header.sentence if header else "The file has no header line.", status=400)
    columns = [name.strip() for name in header[1]]
    _check_header(columns)
    return Table(format, columns, _csv_rows(records, columns))


def _check_header(columns: list[str]) -> None:
    for number, name in enumerate(columns, 1):
        if not name:
            raise ActionRefused(
                f"Column {number} has no name in line 1. Name it, or delete the column.", status=400
            )
        if found := _UNSTORABLE.search(name):
            raise ActionRefused(
                f"The name of column {number} holds {_code(found[0])}. Take it out.", status=400
            )
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise ActionRefused(
            f"Line 1 names the column “{twice[0]}” {Counter(columns)[twice[0]]} times. Give each column a name of its own.",
            status=400,
        )


def _csv_rows(records: Iterator[tuple[int, list[str]] | Issue], columns: list[str]) -> Iterator[Row | Issue]:
    for record in records:
        if isinstance(record, Issue):
            yield record
            continue
        line, cells = record
        if len(cells) != len(columns):
            yield Issue(
                line,
                "",
                " | ".join(cells)[:200],
                f"Line {line} has {_cells(len(cells))}, the header has {_cells(len(columns))}. "
                "Quote cells that hold the separator, or fill in what is missing.",
                "a different number of cells than the header",
            )
            continue
        values = dict(zip(columns, cells, strict=True))
        yield _unusable(line, values) or Row(line, values)


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _unusable(line: int, values: dict[str, Any], *, has_escapes: bool = False) -> Issue | None:
    """What no cell may hold: of the characters that cannot be stored, only NUL comes without an escape."""
    for column, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if ("\x00" in text or has_escapes) and (found := _unstorable(value)):
            return Issue(
                line,
                column,
                found.string[max(0, found.start() - 20) : found.start() + 20],
                f"Line {line}, column “{column}”, holds {_code(found[0])}, which cannot be stored. Take it out.",
                "a character that cannot be stored",
            )
        if len(text) > MAX_CELL:
            return Issue(
                line,
                column,
                text[:60] + "…",
                f"Line {line}, column “{column}”, has {len(text):,} characters; no question may be that long.",
                "a cell that is too long",
            )
    return None


def _unstorable(value: Any) -> re.Match[str] | None:
    """Where the first character that cannot be stored stands, in the value itself or in any text within it."""
    if isinstance(value, str):
        return _UNSTORABLE.search(value)
    inner = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next(filter(None, map(_unstorable, inner)), None)


def _code(character: str) -> str:
    return f"the character U+{ord(character):04X}"


_NOT_CLOSED = "quote not closed"


class _CSVRecords:
    """Records of Python's csv reader in strict mode, each with the line it began on."""

    def __init__(self, text: _TextLines, delimiter: str) -> None:
        self._text = text
        self._delimiter = delimiter
        # The lines of the record that is being read.
        self._taken: list[str] = []
        self._reader = self._new_reader()
        csv.field_size_limit(MAX_LINE_BYTES)

    def _new_reader(self) -> Any:
        return csv.reader(self._lines(), delimiter=self._delimiter, strict=True)

    def _lines(self) -> Iterator[str]:
        length = 0
        for line in self._text:
            length = length + len(line) if self._taken else 0
            self._taken.append(line)
            if length > MAX_CELL:
                raise csv.Error(_NOT_CLOSED)
            yield line

    def __iter__(self) -> "Iterator[tuple[int, list[str]] | Issue]":
        return self

    def __next__(self) -> tuple[int, list[str]] | Issue:
        while True:
            line = self._text.line + 1
            self._taken.clear()
            try:
                cells = next(self._reader)
            except csv.Error as error:
                # The reader cannot go on inside a record; the next line begins a new one.
                self._reader = self._new_reader()
                return self._issue(line, str(error))
            if cells:
                return line, cells
            # An empty line between records is no row.

    def _issue(self, line: int, error: str) -> Issue:
        shown = self._taken[0].strip()[:200]
        if error in (_NOT_CLOSED, "unexpected end of data"):
            # A forgotten quote costs its own line and not all that follow.
            self._text.put_back(self._taken[1:])
            sentence = f"The quote opened in line {line} is never closed. Close it, or double quotes inside the cell."
            return Issue(line, "", shown, sentence, "a quote that is never closed")
        if "expected after" in error:
            at = self._text.line
            before = f", or close the quote opened in line {line}" if at > line else ""
            sentence = (
                f'Line {at}: text follows a closing quote. Double the quotes inside the cell (“""”){before}.'
            )
            return Issue(line, "", shown, sentence, "text after a closing quote")
        if "new-line character" in error:
            sentence = f"Line {line} holds a carriage return that ends no line. Save the file with ordinary line ends (LF or CRLF)."
            return Issue(line, "", shown, sentence, "a carriage return inside the line")
        return Issue(line, "", shown, f"Line {line} cannot be read: {error}.", "a line that cannot be read")


# JSON Lines ---------------------------------------------------------------------------------------


def _read_json_lines(text: _TextLines) -> Table:
    """Columns are the keys of the first object; every line must have the same ones, in any order."""
    if text.peek().lstrip().startswith("["):
        raise ActionRefused(
            "The file is one JSON list. Write its objects one a line, without brackets around and commas between.",
            status=400,
        )
    first = _parse_json(1, text.peek())
    if isinstance(first, Issue):
        raise ActionRefused(first.sentence, status=400)
    columns = list(first.values)
    _check_header(columns)
    return Table(JSON_LINES, columns, _json_rows(text, columns))


def _json_rows(text: _TextLines, columns: list[str]) -> Iterator[Row | Issue]:
    for line in text:
        if not line.strip():
            continue
        record = _parse_json(text.line, line)
        if isinstance(record, Row) and set(record.values) != set(columns):
            record = _other_keys(record, columns)
        if isinstance(record, Row):
            record = _unusable(record.line, record.values, has_escapes="\\u" in line) or Row(
                record.line, {name: record.values[name] for name in columns}
            )
        yield record


def _parse_json(number: int, line: str) -> Row | Issue:
    try:
        value = json.loads(
            line,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_float,
        )
        if line.count("[") + line.count("{") > MAX_NESTING:
            _check_nesting(value, MAX_NESTING)
    except json.JSONDecodeError as error:
        sentence = f"Line {number} is not JSON: {error.msg} at character {error.colno}. Each line is one JSON object."
        return Issue(number, "", line.strip()[:200], sentence, "a line that is not JSON")
    except RecursionError:
        sentence = f"Line {number} is nested more than {MAX_NESTING} deep. Make it flatter."
        return Issue(number, "", line.strip()[:200], sentence, "a line that is nested too deep")
    except ValueError as error:
        sentence = f"Line {number} cannot be used: {error}."
        return Issue(number, "", line.strip()[:200], sentence, "a JSON value that cannot be kept")
    if not isinstance(value, dict) or not value:
        sentence = f'Line {number} is not a JSON object with at least one key, such as {{"text": "…"}}.'
        return Issue(number, "", line.strip()[:200], sentence, "a line that is no object")
    return Row(number, value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = Counter(key for key, _ in pairs)
    twice = [key for key, count in keys.items() if count > 1]
    if twice:
        raise ValueError(f"the key “{twice[0]}” stands there twice")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has {len(digits):,} digits")
    return int(digits)


def _float(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise ValueError(f"the number {written[:40]} is too large")
    return number


def _check_nesting(value: Any, levels: int) -> None:
    if not levels:
        raise RecursionError
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        _check_nesting(each, levels - 1)


def _other_keys(record: Row, columns: list[str]) -> Issue:
    missing = [name for name in columns if name not in record.values]
    extra = [name for name in record.values if name not in columns]
    words = [f"lacks “{name}”" for name in missing[:3]] + [f"has “{name}” besides" for name in extra[:3]]
    return Issue(
        record.line,
        (missing or extra)[0],
        ", ".join(record.values)[:200],
        f"Line {record.line} {' and '.join(words)}. Every line needs the keys of the first: {', '.join(columns)}.",
        "other keys than the first line",
    )


# Writing ------------------------------------------------------------------------------------------


def csv_line(cells: Iterable[Any], *, quote_all: bool = False) -> str:
    """One line of CSV, ended by CR and LF as RFC 4180 has it."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL).writerow(cells)
    return out.getvalue()


def bad_lines_csv(records: Iterable[object]) -> Iterator[bytes]:
    """Every Issue among the records of a file, as lines of CSV; where it cannot be read any further, why."""
    yield csv_line(["line", "column", "what is there", "what is wrong"]).encode()
    try:
        for record in records:
            if isinstance(record, Issue):
                cells = [record.line, record.column, record.found, record.sentence]
                yield csv_line(cells).encode("utf-8", "replace")
    except ActionRefused as refused:
        yield csv_line(["", "", "", refused.sentence]).encode()


# Where a spreadsheet would begin a formula: at the start of a cell, and after what ends a cell or a line for one that
# separates with semicolons or tabs. The wide signs are those of East Asian keyboards.
_FORMULA = re.compile("(^|[;\t\r\n])(?=[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20])")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def for_spreadsheet(text: str) -> str:
    """The text with an apostrophe before whatever a spreadsheet would compute; a plain number stays one.

    As OWASP advises on CSV injection: https://owasp.org/www-community/attacks/CSV_Injection
    """
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(r"\1'", text)

"""Finds and fills `${name}` in the HTML of a HIT, as MTurk's requester site does.

Values go in raw: HTML in a cell is HTML on the page. `${*}` is the whole row as JSON, for pages that read it with a
script. A name inside `<script>` may just as well be JavaScript's own `${…}`, so an unknown one there is only a warning.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mturkhub.common.errors import ActionRefused
from mturkhub.gateway.question_xml import check_question

WHOLE_ROW = "*"
_PLACEHOLDER = re.compile(r"\$\{([^{}$\s][^{}$]*)\}")
_FOUR_BYTES = re.compile("[\U00010000-\U0010ffff]")
_SCRIPT = re.compile(r"<script\b[^>]*>(.*?)</script\s*>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Placeholder:
    """One `${name}` in a template, and where its first mention stands."""

    name: str
    line: int
    column: int
    # Every mention is inside <script>.
    is_in_script: bool


def find_placeholders(html: str) -> list[Placeholder]:
    """Each name once, in the order of first mention."""
    scripts = [found.span(1) for found in _SCRIPT.finditer(html)]
    found: dict[str, Placeholder] = {}
    for mention in _PLACEHOLDER.finditer(html):
        name, at = mention[1], mention.start()
        in_script = any(begin <= at < end for begin, end in scripts)
        first = found.get(name)
        if first is None:
            line = html.count("\n", 0, at) + 1
            found[name] = Placeholder(name, line, at - (html.rfind("\n", 0, at) + 1) + 1, in_script)
        elif first.is_in_script and not in_script:
            found[name] = Placeholder(name, first.line, first.column, is_in_script=False)
    return list(found.values())


@dataclass(frozen=True)
class Match:
    """A template's placeholders against a file's columns."""

    matched: list[str]
    # Outside <script>: these refuse. With the likeliest column for each, or an empty string.
    missing: dict[str, str]
    # Inside <script> alone: perhaps JavaScript's own.
    doubtful: list[str]
    # Columns the template does not use; they are carried through to the results.
    surplus: list[str]


def match_columns(html: str, columns: Iterable[str]) -> Match:
    """Which placeholders have a column, and which columns are only carried through."""
    names = list(columns)
    found = [each for each in find_placeholders(html) if each.name != WHOLE_ROW]
    unknown = [each for each in found if each.name not in names]
    used = {each.name for each in found}
    return Match(
        matched=[each.name for each in found if each.name in names],
        missing={each.name: _nearest(each.name, names) for each in unknown if not each.is_in_script},
        doubtful=[each.name for each in unknown if each.is_in_script],
        surplus=[name for name in names if name not in used],
    )


def _nearest(name: str, columns: list[str]) -> str:
    by_lower = {column.lower(): column for column in columns}
    near = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.5)
    return by_lower[near[0]] if near else ""


def fill(html: str, values: Mapping[str, Any]) -> str:
    """The HTML with each known name replaced by its value; unknown names are left as they stand."""

    def value_of(mention: re.Match[str]) -> str:
        name = mention[1]
        if name in values:
            return as_text(values[name])
        return whole_row(values) if name == WHOLE_ROW else mention[0]

    return _PLACEHOLDER.sub(value_of, html)


def as_text(value: Any) -> str:
    """A cell as it goes into the page: text as it is, other JSON values as JSON, nothing as nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def whole_row(values: Mapping[str, Any]) -> str:
    """The row as JSON that can stand inside <script>."""
    return _json(dict(values))


def _json(value: Any) -> str:
    # A "</script>" in a value would end the script it stands in; MTurk refuses characters of four bytes.
    text = json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
    return _FOUR_BYTES.sub(lambda found: json.dumps(found[0])[1:-1], text)


def question_for(html: str, row: Mapping[str, Any], columns: Iterable[str], frame_height: int) -> str:
    """The HTMLQuestion of one row; raises ActionRefused where MTurk would not take it.

    `columns` gives the order of the row's values, which JSONB has lost.
    """
    ordered = {name: row[name] for name in columns if name in row}
    missing = match_columns(html, ordered).missing
    if missing:
        names = ", ".join(f"${{{name}}}" for name in missing)
        raise ActionRefused(
            f"The row has no value for {names}. Add the column, or take it out of the template."
        )
    return check_question(fill(html, ordered), frame_height)

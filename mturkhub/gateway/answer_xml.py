"""Reads what a Worker answered: QuestionFormAnswers XML, and the JSON of crowd-form's taskAnswers in it.

The XML is a Worker's word and so hostile: no entities, no DTD, no network, and never an exception.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

REPLACEMENT = "\ufffd"
TASK_ANSWERS = "taskAnswers"
# Longer than any market accepts; what is longer is kept as it came and not read.
MAX_CHARACTERS = 10_000_000
# Objects nested deeper than any crowd element nests them stay one JSON string.
MAX_DEPTH = 50

# What XML 1.0 cannot hold, written out or as a character reference.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,10}));")
# What JSONB cannot hold; taskAnswers brings these as \u0000 and \ud800.
_NOT_JSONB = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class ParsedAnswer:
    """Field → values, all text, in the order of the answer."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    # True when a character was replaced by U+FFFD, or something could not be read.
    is_damaged: bool = False


def read_answer(xml: str) -> ParsedAnswer:
    """The fields of an Assignment's Answer. An answer with nothing in it has no fields and is not damaged."""
    if not xml.strip():
        return ParsedAnswer()
    if len(xml) > MAX_CHARACTERS:
        return ParsedAnswer(is_damaged=True)
    readable = _without_impossible_characters(xml)
    root = _parse(readable)
    if root is None:
        return ParsedAnswer(is_damaged=True)
    fields: dict[str, list[str]] = {}
    is_damaged = readable != xml
    for answer in root:
        name, values = _read_one(answer)
        if name is None:
            is_damaged = True
        elif name == TASK_ANSWERS and (flat := _flatten_task_answers(values)) is not None:
            for key, value in flat:
                fields.setdefault(key, []).append(value)
        else:
            fields.setdefault(name, []).extend(values)
    clean = {_clean(name): [_clean(value) for value in values] for name, values in fields.items()}
    return ParsedAnswer(clean, is_damaged or clean != fields)


# XML ---------------------------------------------------------------------------------------------


def _parse(xml: str) -> Any | None:
    """The root element, or None when it is no QuestionFormAnswers that can be read."""
    parser = etree.XMLParser(
        # The declaration says ASCII, and is about the bytes that boto3 has decoded already.
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(xml.encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if root.getroottree().docinfo.doctype or _local_name(root) != "QuestionFormAnswers":
        return None
    return root


def _read_one(answer: Any) -> tuple[str | None, list[str]]:
    """The name and the values of one Answer; no name when it has none."""
    name: str | None = None
    values: list[str] = []
    for part in answer:
        text = "".join(part.itertext())
        match _local_name(part):
            case "QuestionIdentifier":
                name = text
            case "FreeText" | "SelectionIdentifier" | "OtherSelectionText" | "UploadedFileKey":
                values.append(text)
    return name, values


def _local_name(element: Any) -> str:
    """The tag without its namespace: prefix and schema version differ between markets."""
    return str(etree.QName(element).localname)


def _without_impossible_characters(xml: str) -> str:
    """The same text with U+FFFD for what would make the whole document unreadable."""
    return _REFERENCE.sub(_possible_reference, _NOT_XML.sub(REPLACEMENT, xml))


def _possible_reference(reference: re.Match[str]) -> str:
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    possible = number <= 0x10FFFF and not _NOT_XML.match(chr(number))
    return reference[0] if possible else REPLACEMENT


def _clean(text: str) -> str:
    return _NOT_JSONB.sub(REPLACEMENT, text)


# crowd-form --------------------------------------------------------------------------------------


def _flatten_task_answers(values: list[str]) -> list[tuple[str, str]] | None:
    """Leaf by leaf as `answer-format="flatten-objects"` names them; None when it is not crowd-form's JSON."""
    flat: list[tuple[str, str]] = []
    try:
        for value in values:
            parsed = json.loads(value)
            objects = parsed if isinstance(parsed, list) else [parsed]
            if not all(isinstance(each, dict) for each in objects):
                return None
            for each in objects:
                _flatten(each, "", 1, flat)
    except (ValueError, RecursionError):
        return None
    return flat


def _flatten(value: Any, path: str, depth: int, flat: list[tuple[str, str]]) -> None:
    if isinstance(value, dict) and depth <= MAX_DEPTH:
        for key, inner in value.items():
            _flatten(inner, f"{path}.{key}" if path else key, depth + 1, flat)
    else:
        flat.append((path, _as_text(value)))


def _as_text(leaf: Any) -> str:
    """Text as it is, nothing for null, and JSON for the rest: `true`, `0.5`, `["a","b"]`."""
    if isinstance(leaf, str):
        return leaf
    if leaf is None:
        return ""
    return json.dumps(leaf, ensure_ascii=False, separators=(",", ":"))

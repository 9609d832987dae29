"""Writes what a Worker sent as QuestionFormAnswers XML, as the API hands it out, and reads it again for review."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

NAMESPACE = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/QuestionFormAnswers.xsd"
)
# Fields that say which Assignment it is, and no more.
RESERVED = frozenset({"assignmentId", "hitId", "turkSubmitTo", "workerId"})
# What was said to one question: several values are compared as a set.
Answer = frozenset[str]
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def answer_fields(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The fields worth keeping, in form order; values of one name are joined with `|`, as MTurk does."""
    values: dict[str, list[str]] = {}
    for name, value in fields:
        if name not in RESERVED:
            values.setdefault(name, []).append(value)
    return {name: "|".join(several) for name, several in values.items()}


def answer_document(fields: Iterable[tuple[str, str]]) -> str:
    """QuestionFormAnswers with one FreeText per field; characters XML cannot hold become U+FFFD."""
    return form_document(FormAnswer(name, text=value) for name, value in answer_fields(fields).items())


@dataclass(frozen=True)
class FormAnswer:
    """What a Worker answered to one question of a QuestionForm: selections, or with `text` free text."""

    identifier: str
    selections: tuple[str, ...] = ()
    # Their own words beside the selections.
    other: str | None = None
    text: str | None = None


def form_document(answers: Iterable[FormAnswer]) -> str:
    """QuestionFormAnswers of a QuestionForm; characters XML cannot hold become U+FFFD."""
    root = etree.Element("QuestionFormAnswers", nsmap={None: NAMESPACE})
    for given in answers:
        answer = etree.SubElement(root, "Answer")
        _add(answer, "QuestionIdentifier", given.identifier)
        for selection in given.selections:
            _add(answer, "SelectionIdentifier", selection)
        if given.other is not None:
            _add(answer, "OtherSelectionText", given.other)
        if given.text is not None:
            _add(answer, "FreeText", given.text)
    document: bytes = etree.tostring(root, xml_declaration=True, encoding="ASCII")
    return document.decode()


def _add(answer: etree._Element, name: str, text: str) -> None:
    etree.SubElement(answer, name).text = _NOT_IN_XML.sub("\ufffd", text)


def read_answers(document: str) -> dict[str, Answer]:
    """Each question's values, trimmed and without empty ones; values joined with `|` come apart again."""
    answers: dict[str, Answer] = {}
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    for answer in etree.fromstring(document.encode(), parser).iter(f"{{{NAMESPACE}}}Answer"):
        name, *values = (child.text or "" for child in answer if isinstance(child.tag, str))
        texts = (text.strip() for value in values for text in value.split("|"))
        answers[name] = frozenset(text for text in texts if text)
    return answers

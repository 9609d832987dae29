"""Writes what a Worker sent as QuestionFormAnswers XML, as the API hands it out."""

import re
from collections.abc import Iterable

from lxml import etree

NAMESPACE = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/QuestionFormAnswers.xsd"
)
# Fields that say which Assignment it is, and no more.
RESERVED = frozenset({"assignmentId", "hitId", "turkSubmitTo", "workerId"})
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
    root = etree.Element("QuestionFormAnswers", nsmap={None: NAMESPACE})
    for name, value in answer_fields(fields).items():
        answer = etree.SubElement(root, "Answer")
        etree.SubElement(answer, "QuestionIdentifier").text = _NOT_IN_XML.sub("\ufffd", name)
        etree.SubElement(answer, "FreeText").text = _NOT_IN_XML.sub("\ufffd", value)
    document: bytes = etree.tostring(root, xml_declaration=True, encoding="ASCII")
    return document.decode()

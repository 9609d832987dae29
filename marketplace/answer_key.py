"""Reads AnswerKey, and scores a test by it."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor

import regex
from lxml import etree

from marketplace.errors import invalid
from marketplace.question_form import Choice, QuestionForm
from marketplace.xml_reading import (
    SCHEMAS,
    Parts,
    check_name,
    integer_of,
    name_of,
    read_xml,
    text_of,
    token_of,
    wrong,
)

NAMESPACES = (f"{SCHEMAS}2005-10-01/AnswerKey.xsd",)
_LEAST, _MOST = -(2**31), 2**31 - 1
_MAPPINGS = ("PercentageMapping", "ScaleMapping", "RangeMapping")
_DOUBLE = regex.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", regex.ASCII)


@dataclass(frozen=True)
class KeyQuestion:
    """What each set of selections is worth, and what any other is."""

    identifier: str
    options: tuple[tuple[frozenset[str], int], ...]
    default: int = 0

    def score(self, chosen: frozenset[str]) -> int:
        """The score of the first option whose selections are exactly those chosen."""
        return next((score for selections, score in self.options if selections == chosen), self.default)


@dataclass(frozen=True)
class Percentage:
    maximum: int

    def value(self, total: int) -> int:
        return _nearest(Fraction(100 * total, self.maximum))


@dataclass(frozen=True)
class Scale:
    multiplier: Fraction

    def value(self, total: int) -> int:
        return _nearest(total * self.multiplier)


@dataclass(frozen=True)
class Ranges:
    ranges: tuple[tuple[int, int, int], ...]
    otherwise: int

    def value(self, total: int) -> int:
        return next((value for low, high, value in self.ranges if low <= total <= high), self.otherwise)


@dataclass(frozen=True)
class AnswerKey:
    """How the selections of a test become the value of a Qualification."""

    questions: tuple[KeyQuestion, ...]
    mapping: Percentage | Scale | Ranges | None = None

    def value(self, chosen: Mapping[str, frozenset[str]]) -> int:
        """The value that these selections, by QuestionIdentifier, earn."""
        total = sum(
            question.score(chosen.get(question.identifier, frozenset())) for question in self.questions
        )
        value = self.mapping.value(total) if self.mapping else total
        return max(_LEAST, min(_MOST, value))


def _nearest(number: Fraction) -> int:
    # Halves go up.
    return floor(number + Fraction(1, 2))


def read_answer_key(xml: str, test: QuestionForm) -> AnswerKey:
    """The key to this test, or ParameterValidationError where it is not one."""
    root = read_xml(xml, "AnswerKey")
    check_name(root, "AnswerKey", NAMESPACES, "AnswerKey")
    parts = Parts(root)
    elements = parts.take_some("Question")
    mapping = parts.take_if("QualificationValueMapping")
    parts.end()
    key = AnswerKey(
        tuple(_read_question(element) for element in elements),
        _read_mapping(mapping) if mapping is not None else None,
    )
    _check_against(key, test)
    return key


def _read_question(element: etree._Element) -> KeyQuestion:
    parts = Parts(element)
    identifier = token_of(parts.take("QuestionIdentifier"))
    options = tuple(_read_option(option) for option in parts.take_some("AnswerOption"))
    default = parts.take_if("DefaultScore")
    parts.end()
    return KeyQuestion(identifier, options, integer_of(default) if default is not None else 0)


def _read_option(element: etree._Element) -> tuple[frozenset[str], int]:
    parts = Parts(element)
    selections = frozenset(token_of(each) for each in parts.take_some("SelectionIdentifier"))
    score = integer_of(parts.take("AnswerScore"))
    parts.end()
    return selections, score


def _read_mapping(element: etree._Element) -> Percentage | Scale | Ranges:
    parts = Parts(element)
    mapping = parts.take(*_MAPPINGS)
    parts.end()
    inner = Parts(mapping)
    read: Percentage | Scale | Ranges
    if name_of(mapping) == "PercentageMapping":
        # A share of nothing is no number.
        read = Percentage(integer_of(inner.take("MaximumSummedScore"), least=1))
    elif name_of(mapping) == "ScaleMapping":
        read = Scale(_read_double(inner.take("SummedScoreMultiplier")))
    else:
        ranges = tuple(_read_range(each) for each in inner.take_some("SummedScoreRange"))
        read = Ranges(ranges, integer_of(inner.take("OutOfRangeQualificationValue")))
    inner.end()
    return read


def _read_double(element: etree._Element) -> Fraction:
    text = text_of(element).strip()
    if not _DOUBLE.fullmatch(text):
        raise wrong(element, f"{name_of(element)} must be a number such as 2.5.")
    return Fraction(text)


def _read_range(element: etree._Element) -> tuple[int, int, int]:
    parts = Parts(element)
    low, high, value = (
        integer_of(parts.take(name))
        for name in ("InclusiveLowerBound", "InclusiveUpperBound", "QualificationValue")
    )
    parts.end()
    if low > high:
        raise wrong(element, "InclusiveLowerBound is more than InclusiveUpperBound.")
    return low, high, value


def _check_against(key: AnswerKey, test: QuestionForm) -> None:
    in_test = {question.identifier: question.answer for question in test.questions}
    seen: set[str] = set()
    for question in key.questions:
        identifier = question.identifier
        if identifier in seen:
            raise invalid(f"The AnswerKey has the question “{identifier}” twice.")
        seen.add(identifier)
        if identifier not in in_test:
            raise invalid(f"The AnswerKey has the question “{identifier}”, which the Test has not.")
        answer = in_test[identifier]
        known = {each.identifier for each in answer.selections} if isinstance(answer, Choice) else set()
        for selection in sorted(set().union(*(selections for selections, _ in question.options)) - known):
            raise invalid(
                f"The AnswerKey has the selection “{selection}” of the question “{identifier}”, "
                "which the Test has not."
            )
    for identifier, answer in in_test.items():
        if not isinstance(answer, Choice) or answer.other is not None:
            raise invalid(
                f"The question “{identifier}” of the Test takes free text, which an AnswerKey cannot score. "
                "Leave out the AnswerKey, or let Workers choose from selections only."
            )

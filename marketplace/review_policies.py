"""MTurk's two review policies: what their parameters mean, and the figures they come to. No tables here.

Answers are sets of texts, as `answers.read_answers` gives them: several values of one field are compared as a set.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from marketplace.answers import Answer
from marketplace.errors import invalid

SCORE_KNOWN_ANSWERS = "ScoreMyKnownAnswers/2011-09-01"
SIMPLE_PLURALITY = "SimplePlurality/2011-09-01"
_YEAR = 31_536_000
_MOST_QUESTIONS = 15
_LONGEST_COMPARED = 256


@dataclass(frozen=True, slots=True)
class Extension:
    """When a policy asks for one more answer; scores are percentages."""

    below: int
    maximum: int
    minimum_time: timedelta


@dataclass(frozen=True, slots=True)
class KnownAnswers:
    """ScoreMyKnownAnswers, read."""

    answer_key: dict[str, Answer]
    approve_from: int | None
    approve_reason: str
    reject_below: int | None
    reject_reason: str
    extension: Extension | None


@dataclass(frozen=True, slots=True)
class Plurality:
    """SimplePlurality, read."""

    question_ids: list[str]
    threshold: int
    without_rejected: bool
    without_scores_below: int | None
    extension: Extension | None
    approve_from: int | None
    reject_below: int | None
    reject_reason: str


# Reading -----------------------------------------------------------------------------------------


def read_known_answers(policy: Mapping[str, Any]) -> KnownAnswers:
    """The AssignmentReviewPolicy as a requester sent it, or ParameterValidationError."""
    given = _Parameters(policy, SCORE_KNOWN_ANSWERS)
    read = KnownAnswers(
        answer_key=given.answer_key("AnswerKey"),
        approve_from=given.number("ApproveIfKnownAnswerScoreIsAtLeast", 0, 101),
        approve_reason=given.text("ApproveReason"),
        reject_below=given.number("RejectIfKnownAnswerScoreIsLessThan", 0, 101),
        reject_reason=given.text("RejectReason"),
        extension=given.extension(
            "ExtendIfKnownAnswerScoreIsLessThan", (0, 101), (2, 25), default_maximum=5, default_time=0
        ),
    )
    given.check_all_read()
    return read


def read_plurality(policy: Mapping[str, Any]) -> Plurality:
    """The HITReviewPolicy as a requester sent it, or ParameterValidationError."""
    given = _Parameters(policy, SIMPLE_PLURALITY)
    read = Plurality(
        # MTurk's own samples spell it both ways.
        question_ids=given.texts("QuestionIDs" if given.has("QuestionIDs") else "QuestionIds"),
        threshold=given.number("QuestionAgreementThreshold", 0, 100) or 0,
        without_rejected=given.flag("DisregardAssignmentIfRejected"),
        without_scores_below=given.number("DisregardAssignmentIfKnownAnswerScoreIsLessThan", 0, 100),
        extension=given.extension("ExtendIfHITAgreementScoreIsLessThan", (1, 100), (1, 1_000_000_000)),
        approve_from=given.number("ApproveIfWorkerAgreementScoreIsAtLeast", 0, 100),
        reject_below=given.number("RejectIfWorkerAgreementScoreIsLessThan", 0, 100),
        reject_reason=given.text("RejectReason"),
    )
    given.check_all_read()
    return read


class _Parameters:
    """A policy's Parameters by Key, each taken once."""

    def __init__(self, policy: Mapping[str, Any], name: str) -> None:
        if policy["PolicyName"] != name:
            raise invalid(f'The PolicyName "{policy["PolicyName"]}" is not known here; it must be {name}.')
        self._name = name
        self._left: dict[str, Mapping[str, Any]] = {}
        for parameter in policy.get("Parameters", []):
            key = parameter.get("Key", "")
            if key in self._left:
                raise invalid(f"{name} has the parameter {key} twice.")
            self._left[key] = parameter

    def check_all_read(self) -> None:
        if self._left:
            raise invalid(f"{self._name} has no parameter {', '.join(self._left)}.")

    def has(self, key: str) -> bool:
        return key in self._left

    def texts(self, key: str) -> list[str]:
        values = self._values(key)
        if not values:
            raise invalid(f"{self._name} needs the parameter {key}.")
        if not all(values) or len(set(values)) != len(values) or len(values) > _MOST_QUESTIONS:
            raise invalid(f"{key} takes up to {_MOST_QUESTIONS} ids, none of them empty and each once.")
        return values

    def text(self, key: str) -> str:
        return self._one(key) or ""

    def flag(self, key: str) -> bool:
        value = self._one(key)
        if value is None:
            raise invalid(f"{self._name} needs the parameter {key}.")
        if value.lower() not in {"t", "f", "true", "false"}:
            raise self._wrong(key, value, "T or F")
        return value.lower() in {"t", "true"}

    def number(self, key: str, least: int, most: int) -> int | None:
        value = self._one(key)
        if value is None:
            return None
        # No more digits than the largest number has, for a longer text is none anyhow.
        if not (value.isascii() and value.isdigit() and len(value) <= 10 and least <= int(value) <= most):
            raise self._wrong(key, value, f"a whole number from {least} to {most}")
        return int(value)

    def extension(
        self,
        key: str,
        scores: tuple[int, int],
        maxima: tuple[int, int],
        *,
        default_maximum: int | None = None,
        default_time: int | None = None,
    ) -> Extension | None:
        below = self.number(key, *scores)
        maximum = self.number("ExtendMaximumAssignments", *maxima)
        seconds = self.number("ExtendMinimumTimeInSeconds", 60, _YEAR)
        if below is None:
            return None
        maximum = default_maximum if maximum is None else maximum
        seconds = default_time if seconds is None else seconds
        if maximum is None or seconds is None:
            raise invalid(f"{key} needs ExtendMaximumAssignments and ExtendMinimumTimeInSeconds beside it.")
        return Extension(below, maximum, timedelta(seconds=seconds))

    def answer_key(self, key: str) -> dict[str, Answer]:
        entries = self._left.pop(key, {}).get("MapEntries", [])
        if not entries:
            raise invalid(f"{self._name} needs the parameter {key} with at least one of MapEntries.")
        known = {entry.get("Key", ""): as_answer(entry.get("Values", [])) for entry in entries}
        if "" in known or not all(known.values()) or len(known) != len(entries):
            raise invalid(f"Each of the MapEntries of {key} has a Key of its own and at least one value.")
        return known

    def _one(self, key: str) -> str | None:
        if not self.has(key):
            return None
        values = self._values(key)
        if len(values) != 1:
            raise invalid(f"The parameter {key} takes one value; {len(values)} were given.")
        return values[0]

    def _values(self, key: str) -> list[str]:
        return list(self._left.pop(key, {}).get("Values", []))

    def _wrong(self, key: str, value: str, allowed: str) -> Exception:
        return invalid(f'The value "{value[:200]}" of the parameter {key} must be {allowed}.')


# Figures -----------------------------------------------------------------------------------------


def as_answer(values: list[str]) -> Answer:
    """Texts as they are compared: trimmed, case kept, without empty ones."""
    return frozenset(text for value in values if (text := value.strip()))


def check_known_answers(policy: KnownAnswers, answers: Mapping[str, Answer]) -> dict[str, bool]:
    """Whether each question of the key was answered as the key says."""
    return {question: answers.get(question) == right for question, right in policy.answer_key.items()}


def percentage(part: int, whole: int) -> int:
    """Rounded down; of nothing it is 0."""
    return 100 * part // whole if whole else 0


@dataclass(frozen=True, slots=True)
class QuestionAgreement:
    """How far Workers agree about one question; `agreed` is None where they do not agree enough."""

    question_id: str
    agreed: Answer | None
    score: int


@dataclass(frozen=True, slots=True)
class WorkerAgreement:
    """How often one Worker gave the answer that was agreed."""

    correct: int
    incorrect: int

    @property
    def score(self) -> int | None:
        """None where nothing was agreed, for then nobody was right or wrong."""
        agreed = self.correct + self.incorrect
        return percentage(self.correct, agreed) if agreed else None


@dataclass(frozen=True, slots=True)
class Agreement:
    """What SimplePlurality finds in the answers to a HIT."""

    questions: list[QuestionAgreement]
    # By whatever the answers were keyed with.
    workers: dict[int, WorkerAgreement]

    @property
    def score(self) -> int:
        agreed = sum(question.agreed is not None for question in self.questions)
        return percentage(agreed, len(self.questions))


def find_agreement(policy: Plurality, answers: Mapping[int, Mapping[str, Answer]]) -> Agreement:
    """Compare the answers of several Workers, keyed by anything."""
    compared = {key: _comparable(given) for key, given in answers.items()}
    questions = [_agree(policy, question, list(compared.values())) for question in policy.question_ids]
    agreed = {each.question_id: each.agreed for each in questions if each.agreed is not None}
    workers = {}
    for key, given in compared.items():
        correct = sum(given.get(question) == answer for question, answer in agreed.items())
        workers[key] = WorkerAgreement(correct, len(agreed) - correct)
    return Agreement(questions, workers)


def _comparable(given: Mapping[str, Answer]) -> dict[str, Answer]:
    return {
        question: answer
        for question, answer in given.items()
        if answer and sum(map(len, answer)) <= _LONGEST_COMPARED
    }


def _agree(policy: Plurality, question: str, answers: list[dict[str, Answer]]) -> QuestionAgreement:
    commonest = Counter(given[question] for given in answers if question in given).most_common(2)
    if not commonest:
        return QuestionAgreement(question, None, 0)
    (answer, count), *others = commonest
    score = percentage(count, len(answers))
    is_tie = bool(others) and others[0][1] == count
    is_enough = score > policy.threshold or score == policy.threshold == 100
    return QuestionAgreement(question, answer if is_enough and not is_tie else None, score)

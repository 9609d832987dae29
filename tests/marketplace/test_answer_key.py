"""Scoring a test by its key, to the letter."""

import pytest

from marketplace.answer_key import read_answer_key
from marketplace.errors import ApiError
from marketplace.question_form import read_question_form
from tests.marketplace.forms import KEY, TEST, TEST_KEY, answer_key, form, free_text, question, selection

SCALE = "<ScaleMapping><SummedScoreMultiplier>{}</SummedScoreMultiplier></ScaleMapping>"
PERCENT = "<PercentageMapping><MaximumSummedScore>{}</MaximumSummedScore></PercentageMapping>"
DEFAULT = "<DefaultScore>-2</DefaultScore>"


def score_range(low: int, high: int, value: int) -> str:
    return (
        f"<SummedScoreRange><InclusiveLowerBound>{low}</InclusiveLowerBound>"
        f"<InclusiveUpperBound>{high}</InclusiveUpperBound>"
        f"<QualificationValue>{value}</QualificationValue></SummedScoreRange>"
    )


def ranges(*each: str, otherwise: int) -> str:
    out = f"<OutOfRangeQualificationValue>{otherwise}</OutOfRangeQualificationValue>"
    return f"<RangeMapping>{''.join(each)}{out}</RangeMapping>"


FORM = read_question_form(
    form(
        question("one", selection("a", "b", "c")),
        question("many", selection("a", "b", "c", least=0, most=3)),
        question("unscored", selection("a")),
    )
)


def value(key: str, **chosen: str) -> int:
    return read_answer_key(key, FORM).value(
        {name: frozenset(selections.split()) for name, selections in chosen.items()}
    )


@pytest.mark.parametrize(
    ("chosen", "total"),
    [
        ({"one": "a", "many": "a b"}, 5 + 3),
        ({"one": "a", "many": "b a"}, 5 + 3),
        # not the same set, so the default
        ({"one": "a", "many": "a"}, 5 - 2),
        ({"one": "a", "many": "a b c"}, 5 - 2),
        ({"one": "c", "many": "c"}, -2 - 7),
        # no answer at all
        ({}, -2 - 2),
        # what the key does not name earns nothing
        ({"one": "a", "many": "a b", "unscored": "a"}, 8),
    ],
)
def test_exactly_the_selections_of_an_option_earn_its_score(chosen: dict[str, str], total: int) -> None:
    key = answer_key({"one": [("a", 5), ("a", 99)], "many": [("a b", 3), ("c", -7)]}, default=DEFAULT)

    assert value(key, **chosen) == total


def test_without_a_default_other_selections_earn_nothing() -> None:
    assert value(answer_key({"one": [("a", 5)]}), one="b") == 0


@pytest.mark.parametrize(
    ("mapping", "total", "mapped"),
    [
        (PERCENT.format(3), 2, 67),
        (PERCENT.format(8), 1, 13),  # 12.5: halves go up
        (PERCENT.format(3), 4, 133),
        (PERCENT.format(8), -1, -12),  # -12.5
        (SCALE.format("2.5"), 3, 8),  # 7.5
        (SCALE.format("-0.5"), 3, -1),  # -1.5
        (SCALE.format("1e1"), 3, 30),
        (SCALE.format("1e300"), 3, 2**31 - 1),
        (SCALE.format("1e300"), -3, -(2**31)),
        (ranges(score_range(0, 2, 10), score_range(3, 5, 20), otherwise=-1), 2, 10),
        (ranges(score_range(0, 2, 10), score_range(3, 5, 20), otherwise=-1), 3, 20),
        (ranges(score_range(0, 2, 10), score_range(2, 5, 20), otherwise=-1), 2, 10),
        (ranges(score_range(0, 2, 10), otherwise=-1), 3, -1),
        (ranges(score_range(-9, -1, 10), otherwise=-1), -4, 10),
    ],
)
def test_each_mapping_makes_a_value_of_the_sum(mapping: str, total: int, mapped: int) -> None:
    assert value(answer_key({"one": [("a", total)]}, mapping=mapping), one="a") == mapped


def test_two_right_of_three_are_67_percent() -> None:
    key = answer_key(
        {"one": [("a", 1)], "many": [("a b", 1)], "unscored": [("a", 1)]}, mapping=PERCENT.format(3)
    )

    assert value(key, one="a", many="a b") == 67


ONE = {"one": [("a", 1)]}


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("<AnswerKey/>", "namespace"),
        ("<Answers/>", "must be AnswerKey"),
        (f'<AnswerKey xmlns="{KEY}"/>', "lacks Question"),
        ("<!DOCTYPE x>" + answer_key(ONE), "document type"),
        (answer_key({"one": []}), "lacks AnswerOption"),
        (answer_key({"one": [("", 1)]}), "SelectionIdentifier"),
        (answer_key(ONE).replace(">1<", ">1.5<"), "AnswerScore must be a whole number"),
        (answer_key({"none": [("a", 1)]}), "“none”, which the Test has not"),
        (answer_key({"one": [("z", 1)]}), "selection “z”"),
        (answer_key(ONE, default="<DefaultScore>x</DefaultScore>"), "DefaultScore"),
        (answer_key(ONE, mapping=PERCENT.format(0)), "from 1 to"),
        (answer_key(ONE, mapping=SCALE.format("NaN")), "must be a number"),
        (answer_key(ONE, mapping=SCALE.format("INF")), "must be a number"),
        (answer_key(ONE, mapping=ranges(otherwise=1)), "SummedScoreRange here"),
        (answer_key(ONE, mapping=ranges(score_range(2, 1, 1), otherwise=1)), "LowerBound is more"),
        (answer_key(ONE, mapping=PERCENT.format(1) + SCALE.format(1)), "may not have ScaleMapping here"),
        (answer_key(ONE).replace("</AnswerKey>", "") + answer_key(ONE)[len(f'<AnswerKey xmlns="{KEY}">') :], "twice"),
    ],
)  # fmt: skip
def test_a_key_that_is_none_is_refused_in_words(key: str, says: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_answer_key(key, FORM)
    assert caught.value.kind == "ParameterValidationError"
    assert says in caught.value.message


@pytest.mark.parametrize("answer", [free_text(), selection("a", other="<OtherSelection/>")])
def test_free_text_cannot_be_scored(answer: str) -> None:
    test = read_question_form(form(question("one", selection("a")), question("text", answer)))

    with pytest.raises(ApiError, match="takes free text"):
        read_answer_key(answer_key(ONE), test)


def test_the_keys_of_other_tests_here_are_right() -> None:
    key = read_answer_key(TEST_KEY, read_question_form(TEST))

    assert key.value({"sky": frozenset({"blue"}), "grass": frozenset({"blue"})}) == 50

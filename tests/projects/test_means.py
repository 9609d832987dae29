"""The mean of what several Workers answered."""

from decimal import Decimal

import pytest

from projects.means import LARGEST, as_number, main_field, mean, shown


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        # Four tweets, as the first story has them.
        ("2 2 1 4 2", "2.2"),
        ("7 5 8 7 6", "6.6"),
        ("7 5 8 5 5", "6.0"),
        ("8 4 5 5 6", "5.6"),
        # At least one decimal, at most two.
        ("7", "7.0"),
        ("1 2", "1.5"),
        ("1 1 2", "1.33"),
        ("0 0", "0.0"),
        ("-1 -2", "-1.5"),
        ("100 200", "150.0"),
        ("0.10 0.20", "0.15"),
        ("1e2", "100.0"),
        # Not numbers, so there is no mean.
        ("", ""),
        ("good bad", ""),
        ("7 good", ""),
        ("NaN 1", ""),
        ("Infinity", ""),
    ],
)
def test_the_mean_is_shown_where_every_answer_is_a_number(answers, expected):
    assert shown(mean(answers.split())) == expected


def test_empty_answers_do_not_count():
    assert mean(["", "  ", "4", "6"]) == 5


def test_a_mean_is_exact_and_not_what_binary_fractions_make_of_it():
    assert mean(["0.1", "0.2"]) == Decimal("0.15")


@pytest.mark.parametrize("text", [" 7 ", "7", "+7", "7.0", "٧"])
def test_seven_is_seven_however_it_is_typed(text):
    assert as_number(text) == 7


@pytest.mark.parametrize(
    "text", ["", "seven", "7,5", "1_000", "0x7", "1e999999", str(LARGEST + 1), "9" * 65_535, "sNaN", "-inf"]
)
def test_what_is_no_number_or_too_large_for_one_is_none(text):
    assert as_number(text) is None


@pytest.mark.parametrize(
    ("wanted", "fields", "expected"),
    [
        ("", ["b", "a"], "a"),
        ("", [], ""),
        ("b", ["b", "a"], "b"),
        # Named in the project before anybody has answered.
        ("b", [], "b"),
    ],
)
def test_the_field_to_average_is_the_named_one_or_the_first(wanted, fields, expected):
    assert main_field(wanted, fields) == expected

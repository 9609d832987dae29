"""A number and a unit in a form."""

from datetime import timedelta

import pytest
from django import forms

from projects.forms.durations import DurationField


def field_errors(field: DurationField, number: str, unit: str) -> list[str]:
    with pytest.raises(forms.ValidationError) as refused:
        field.clean([number, unit])
    return refused.value.messages


@pytest.mark.parametrize(
    ("number", "unit", "length"),
    [
        ("30", "seconds", timedelta(seconds=30)),
        ("1.5", "hours", timedelta(minutes=90)),
        ("365", "days", timedelta(days=365)),
        ("0", "days", timedelta(0)),
    ],
)
def test_a_number_and_a_unit_make_a_duration(number, unit, length):
    assert DurationField().clean([number, unit]) == length


def test_an_optional_duration_may_be_left_empty_whatever_its_unit_says():
    assert DurationField(required=False).clean(["", "minutes"]) is None


def test_a_required_duration_without_a_number_is_refused():
    assert field_errors(DurationField(), "", "minutes") == ["This field is required."]


@pytest.mark.parametrize(
    ("number", "unit"),
    [
        ("-1", "days"),
        ("1", "fortnights"),
        ("abc", "days"),
        ("NaN", "days"),
        ("1e9", "days"),
        ("29", "seconds"),
    ],
)
def test_what_is_no_duration_or_outside_the_limits_is_refused(number, unit):
    assert field_errors(DurationField(shortest=timedelta(seconds=30)), number, unit)

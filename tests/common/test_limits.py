"""What a form says of a value beyond a limit names the field and the limit."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django import forms
from django.core.validators import MaxValueValidator

from mturkhub.common.limits import LimitsInWords


class Limited(LimitsInWords, forms.Form):
    number = forms.IntegerField(label="Rows an hour", min_value=1, max_value=100_000, required=False)
    own = forms.IntegerField(
        min_value=1, required=False, error_messages={"min_value": "Ask for at least one."}
    )
    told = forms.IntegerField(required=False, validators=[MaxValueValidator(2, "This file has 2 rows.")])
    words = forms.CharField(min_length=2, max_length=2000, required=False)
    amount = forms.DecimalField(
        label="At most",
        min_value=Decimal("0.01"),
        max_value=Decimal(10**6),
        max_digits=8,
        decimal_places=2,
        required=False,
    )
    length = forms.DurationField(
        label="Open for", required=False, validators=[MaxValueValidator(timedelta(days=30))]
    )


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("number", "0", "“Rows an hour” must be 1 or more."),
        ("number", "100001", "“Rows an hour” must be 100,000 or less."),
        ("words", "x", "“Words” needs at least 2 characters; this has 1."),
        ("words", "x" * 2001, "“Words” takes at most 2,000 characters; this has 2,001."),
        ("amount", "0", "“At most” must be 0.01 or more."),
        ("amount", "1000001", "“At most” must be 1,000,000 or less."),
        ("amount", "1.234", "“At most” takes at most 2 digits after the point."),
        ("length", "31 00:00:00", "“Open for” must be 30 d or less."),
        # Words of a field's own stay, and so does what is no limit.
        ("own", "0", "Ask for at least one."),
        ("told", "3", "This file has 2 rows."),
        ("number", "many", "Enter a whole number."),
    ],
)
def test_the_sentence_names_the_field_and_the_limit(field: str, value: str, sentence: str) -> None:
    form = Limited({field: value})

    assert not form.is_valid()
    assert sentence in form.errors[field]


def test_an_error_of_the_whole_form_is_left_as_it_is() -> None:
    form = Limited({})
    assert form.is_valid()

    form.add_error(None, "Choose one of them.")
    form.add_error("own", "Not this one.")

    assert form.errors == {"__all__": ["Choose one of them."], "own": ["Not this one."]}

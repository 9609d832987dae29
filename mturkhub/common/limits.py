"""What a form says of a value beyond a limit: the field by its name, and the limit, where Django says “this value”."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import (
    DecimalValidator,
    MaxLengthValidator,
    MaxValueValidator,
    MinLengthValidator,
    MinValueValidator,
)
from django.forms.utils import pretty_name

from mturkhub.common.templatetags.ui import duration

# Django's own words, before they are translated; a field that has words of its own keeps them.
_SENTENCES: list[tuple[Any, str]] = [
    (MinValueValidator.message, "“{label}” must be {limit_value} or more."),
    (MaxValueValidator.message, "“{label}” must be {limit_value} or less."),
    (MinLengthValidator.message, "“{label}” needs at least {limit_value} characters; this has {show_value}."),
    (MaxLengthValidator.message, "“{label}” takes at most {limit_value} characters; this has {show_value}."),
    (DecimalValidator.messages["max_digits"], "“{label}” takes at most {max} digits."),
    (
        DecimalValidator.messages["max_decimal_places"],
        "“{label}” takes at most {max} digits after the point.",
    ),
    (DecimalValidator.messages["max_whole_digits"], "“{label}” takes at most {max} digits before the point."),
]


def limit_in_words(label: str, error: ValidationError) -> str:
    """The sentence for an error about a limit; empty for any other."""
    for django_says, sentence in _SENTENCES:
        if error.message is django_says:
            told = {name: _shown(value) for name, value in (error.params or {}).items()}
            return sentence.format(label=label, **told)
    return ""


def _shown(value: Any) -> str:
    if isinstance(value, timedelta):
        return duration(value)
    return (
        f"{value:,f}"
        if isinstance(value, Decimal)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )


class LimitsInWords(forms.BaseForm):
    """For forms: their fields' and their model's limits are named in sentences."""

    def add_error(self, field: str | None, error: Any) -> None:
        given = error if isinstance(error, ValidationError) else ValidationError(error)
        errors = given.error_dict if hasattr(given, "error_dict") else {field or "": given.error_list}
        for name, of_field in errors.items():
            if name in self.fields:
                label = str(self.fields[name].label or pretty_name(name))
                for each in of_field:
                    if sentence := limit_in_words(label, each):
                        each.message, each.params = sentence, None
        super().add_error(field, given)

"""The pages' forms, filled in by scripts: the same rules with the same sentences."""

from datetime import timedelta
from typing import Any

from django import forms

from mturkhub.api.problems import fields_refused


def as_form(values: dict[str, Any]) -> dict[str, Any]:
    """What a page's form would have been sent for these values: each duration as a number and its unit."""
    told: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, timedelta):
            told |= {f"{name}_0": f"{value.total_seconds():f}", f"{name}_1": "seconds"}
        else:
            told[name] = "" if value is None else value
    return told


def form_values(form: forms.BaseForm, given: dict[str, Any]) -> dict[str, Any]:
    """The form's values of what was given; raises a refusal with the form's own sentences."""
    if not form.is_valid():
        raise fields_refused(
            {"body" if name == "__all__" else name: each for name, each in form.errors.items()}
        )
    return {name: form.cleaned_data[name] for name in form.fields if name in given}

"""What a person may type about HITs that exist."""

from datetime import timedelta

from django import forms

from projects.forms.durations import DurationField
from projects.models.project import DURATION_MIN


class AnswersForm(forms.Form):
    """How many answers more."""

    answers = forms.IntegerField(
        label="More answers per row",
        min_value=1,
        max_value=1_000_000_000,
        error_messages={"min_value": "Ask for at least one answer more.", "invalid": "Write a whole number."},
    )


class OpenForForm(forms.Form):
    """For how long from now."""

    open_for = DurationField(label="Open for, from now", shortest=DURATION_MIN, longest=timedelta(days=365))

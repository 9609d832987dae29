"""What a person may type about HITs that exist."""

from datetime import timedelta

from django import forms

from mturkhub.common.limits import LimitsInWords
from projects.forms.durations import DurationField
from projects.forms.projects import RewardField
from projects.models.project import DURATION_MIN
from projects.rules import ANSWERS_MOST


class AnswersForm(LimitsInWords, forms.Form):
    """How many answers more."""

    answers = forms.IntegerField(
        label="More answers per row",
        min_value=1,
        max_value=1_000_000_000,
        error_messages={"min_value": "Ask for at least one answer more.", "invalid": "Write a whole number."},
    )


class RequeueForm(LimitsInWords, forms.Form):
    """What asking again for rejected answers by itself may come to."""

    most = forms.IntegerField(
        label="At most so many answers",
        min_value=1,
        max_value=ANSWERS_MOST,
        help_text="Over the life of the batch.",
        error_messages={"min_value": "Allow at least one answer.", "invalid": "Write a whole number."},
    )
    limit = RewardField(
        label="For at most", max_digits=12, help_text="Rewards and fee, over the life of the batch."
    )


class OpenForForm(LimitsInWords, forms.Form):
    """For how long from now."""

    open_for = DurationField(label="Open for, from now", shortest=DURATION_MIN, longest=timedelta(days=365))

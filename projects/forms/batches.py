"""Uploading a file, and the settings of a draft."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator
from django.utils import timezone

from mturkhub.accounts.models import Connection
from mturkhub.common.limits import LimitsInWords
from mturkhub.common.stored_files import MAX_BYTES
from projects.forms.durations import DurationField
from projects.forms.projects import REWARD_HINT, RewardField, answers_field
from projects.models import Batch
from projects.models.project import AUTO_APPROVAL_MAX, DURATION_MIN
from projects.rules import ANSWERS_MOST, PACE_MOST


class UploadForm(LimitsInWords, forms.Form):
    """A file, or text that was pasted; not both."""

    file = forms.FileField(
        required=False,
        label="File",
        widget=forms.FileInput(
            {"accept": ".csv,.tsv,.jsonl,.ndjson,.txt,text/csv", "data-most-bytes": MAX_BYTES}
        ),
    )
    pasted = forms.CharField(
        required=False,
        strip=False,
        label="Or paste the lines",
        max_length=4_000_000,
        widget=forms.Textarea({"rows": 6, "class": "code-short mono", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        has_text = bool((data.get("pasted") or "").strip())
        if data.get("file") and has_text:
            raise forms.ValidationError("There is a file and pasted text. Take one of them away.")
        if not data.get("file") and not has_text and not self.errors:
            raise forms.ValidationError("Choose a file, or paste lines with the column names first.")
        return data


class PublishingForm(LimitsInWords, forms.Form):
    """How a batch is published; everything may stay empty."""

    first_rows = forms.IntegerField(
        label="Only the first rows, as a trial",
        required=False,
        min_value=1,
        help_text="The rest is published later by one click, or never.",
    )
    rows_per_hour = forms.IntegerField(
        label="Rows an hour",
        required=False,
        min_value=1,
        max_value=PACE_MOST,
        help_text="Empty creates all of them as fast as the market takes them.",
    )
    requeue_most = forms.IntegerField(
        label="Ask again for rejected answers, at most",
        required=False,
        min_value=1,
        max_value=ANSWERS_MOST,
        help_text="So many answers in all, by itself, on top of the price. Empty: only by hand.",
    )
    requeue_limit = RewardField(
        label="For at most",
        required=False,
        max_digits=12,
        help_text="Dollars, with the fee.",
    )
    publish_at = forms.DateTimeField(
        label="Not before",
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
        widget=forms.DateTimeInput({"type": "datetime-local"}),
        error_messages={"invalid": "Write a day and a time, such as 2027-01-31 09:00."},
    )

    def __init__(self, *args: Any, batch: Batch, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.batch = batch
        rows = self.fields["first_rows"]
        rows.validators.append(
            MaxValueValidator(batch.rows_total, f"This file has {batch.rows_total:,} rows.")
        )
        self.fields["publish_at"].help_text = f"In the team’s time zone, {batch.team.time_zone}."

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        most, limit = data.get("requeue_most"), data.get("requeue_limit")
        if (most is None) != (limit is None) and not self.errors:
            self.add_error(
                "requeue_limit", "To ask again for rejected answers, state both: how many, for how much."
            )
        return data

    def clean_publish_at(self) -> datetime | None:
        """The time as typed is one of the team's zone, whoever types it."""
        at: datetime | None = self.cleaned_data["publish_at"]
        if at is None:
            return None
        typed = timezone.localtime(at).replace(tzinfo=None)
        return typed.replace(tzinfo=ZoneInfo(self.batch.team.time_zone))


class BatchSettingsForm(LimitsInWords, forms.ModelForm):  # type: ignore[type-arg]  # takes none at run time
    """Where a draft is published and what it pays; frozen once it is."""

    reward = RewardField(label="Reward per answer", help_text=REWARD_HINT)
    max_assignments = answers_field()
    estimated_duration = DurationField(
        label="One answer really takes", shortest=timedelta(seconds=1), required=False
    )
    assignment_duration = DurationField(label="Time for one answer", shortest=DURATION_MIN)
    only_missing = forms.BooleanField(
        label="Ask each row for exactly what is missing of it",
        required=False,
        help_text="Without the tick each row gets the number of answers above.",
    )
    lifetime = DurationField(label="Open for", shortest=DURATION_MIN)
    auto_approval_delay = DurationField(label="Approve by itself after", longest=AUTO_APPROVAL_MAX)
    connection = forms.ModelChoiceField(
        label="Where",
        queryset=Connection.objects.none(),
        widget=forms.RadioSelect,
        empty_label=None,
        error_messages={"invalid_choice": "Choose one of your team's connections that has passed its test."},
    )

    class Meta:
        model = Batch
        fields = [
            "name",
            "connection",
            "reward",
            "max_assignments",
            "only_missing",
            "estimated_duration",
            "assignment_duration",
            "lifetime",
            "auto_approval_delay",
        ]
        labels = {"name": "Batch name"}

    def __init__(self, *args: Any, connections: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["connection"].queryset = connections  # type: ignore[attr-defined]
        if not self.instance.continues_id:
            del self.fields["only_missing"]

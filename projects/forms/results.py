"""Uploading a results file of the requester site."""

from typing import Any

from django import forms

from mturkhub.accounts.models import Connection, Team
from mturkhub.accounts.permissions import Loan
from mturkhub.common.limits import LimitsInWords
from mturkhub.common.stored_files import MAX_BYTES


class _ConnectionField(forms.ModelChoiceField):  # type: ignore[type-arg]  # it takes none when it runs
    def label_from_instance(self, connection: Any) -> str:
        return f"{connection} ({connection.get_environment_display()})"


class ResultsForm(LimitsInWords, forms.Form):
    """The file, and the account whose Workers and HITs it tells of."""

    file = forms.FileField(
        label="File", widget=forms.FileInput({"accept": ".csv,text/csv", "data-most-bytes": MAX_BYTES})
    )

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        usable = Connection.objects.allowing(Loan.PUBLISH, team.pk).order_by("environment", "name")
        self.fields["connection"] = _ConnectionField(
            queryset=usable,
            label="Of the account",
            to_field_name="public_id",
            initial=usable.first(),
            empty_label=None,
            help_text="Its Workers are counted together with those who answer here.",
        )

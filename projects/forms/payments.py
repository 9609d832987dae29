"""What a person may pay on top of the reward."""

from django import forms

from mturkhub.common.limits import LimitsInWords
from projects.forms.projects import RewardField
from projects.models.bonus import REASON_MAX


class BonusForm(LimitsInWords, forms.Form):
    """Dollars, and the words the Worker reads."""

    amount = RewardField(
        label="Bonus for the Worker", help_text="Dollars; the market's fee comes on top.", what="bonus"
    )
    reason = forms.CharField(
        label="What the Worker will read",
        max_length=REASON_MAX,
        widget=forms.Textarea({"rows": 3}),
        error_messages={"required": "A bonus needs a reason: the Worker reads it. Write one, then send."},
    )

    def clean_reason(self) -> str:
        return str(self.cleaned_data["reason"]).replace("\r\n", "\n").strip()

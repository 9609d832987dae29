"""What a person may type about a Connection or an account. Keys go in and never come out again."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings

from mturkhub.accounts.models import Environment, FeeSchedule
from mturkhub.accounts.permissions import Loan
from mturkhub.common.limits import LimitsInWords

_SECRET = forms.PasswordInput(render_value=False, attrs={"autocomplete": "off", "spellcheck": "false"})


class KeysForm(LimitsInWords, forms.Form):
    access_key_id = forms.CharField(
        label="Access key id",
        max_length=128,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    secret_access_key = forms.CharField(
        label="Secret access key",
        max_length=128,
        widget=_SECRET,
        help_text="Stored encrypted. Nobody is shown it again, you included.",
    )


class ConnectionForm(KeysForm):
    name = forms.CharField(
        label="Name", max_length=100, help_text="Shown wherever this way to a market is chosen."
    )
    environment = forms.ChoiceField(
        label="Environment",
        choices=Environment.choices,
        initial=Environment.LOCAL,
        help_text="Sandbox money is not real. Production spends money.",
    )
    endpoint = forms.ChoiceField(
        label="Endpoint",
        help_text="Whoever runs this server can add others with MTURKHUB_ALLOWED_ENDPOINTS.",
    )
    fee_schedule = forms.ChoiceField(
        label="Fee", choices=FeeSchedule.choices, help_text="What the market charges on top of the reward."
    )

    uses_own_identity = forms.BooleanField(label="Use this server's own AWS identity", required=False)

    field_order = [
        "name",
        "environment",
        "endpoint",
        "fee_schedule",
        "uses_own_identity",
        "access_key_id",
        "secret_access_key",
    ]

    def __init__(self, *args: Any, own_identity_for: Sequence[str], **kwargs: Any) -> None:
        """`own_identity_for` are the names the operator lets use the server's AWS identity; often none."""
        super().__init__(*args, **kwargs)
        if own_identity_for:
            names = ", ".join(own_identity_for)
            identity = self.fields["uses_own_identity"]
            identity.help_text = f"Instead of keys; only for a connection called {names}."
            for name in ("access_key_id", "secret_access_key"):
                # The action asks for them unless the box is ticked.
                self.fields[name].required = False
        else:
            del self.fields["uses_own_identity"]
        endpoints = dict.fromkeys(settings.MTURK_ALLOWED_ENDPOINTS)
        self.fields["endpoint"].choices = [(endpoint, endpoint) for endpoint in endpoints]  # type: ignore[attr-defined]


class QueueForm(LimitsInWords, forms.Form):
    url = forms.CharField(
        label="URL of the queue",
        max_length=300,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono", "inputmode": "url"}
        ),
        help_text="Such as https://sqs.us-east-1.amazonaws.com/123456789012/mturkhub-events; SQS shows it under Details.",
    )


class LendForm(LimitsInWords, forms.Form):
    share_code = forms.CharField(
        label="Share code of the other team",
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
        help_text="Its owners find it on their Connections page.",
    )
    permissions = forms.MultipleChoiceField(
        label="The team may",
        choices=[(each.value, each.words) for each in Loan],
        initial=[each.value for each in Loan],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

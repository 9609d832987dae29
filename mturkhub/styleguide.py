"""Every component in every state, on one page; for whoever builds pages, and for the tests that look at them."""

from datetime import timedelta
from decimal import Decimal

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mturkhub.common.tones import TONES


class ExampleForm(forms.Form):
    """One field of each kind; sent with one value that is refused."""

    name = forms.CharField(label="Batch name", help_text="For your team alone.")
    reward = forms.DecimalField(label="Reward per answer", min_value=Decimal("0.01"), decimal_places=2)
    reviews = forms.ChoiceField(
        label="Who decides",
        choices=[("people", "People decide; MTurk approves what is left")],
        required=False,
    )
    words = forms.CharField(label="What the Worker will read", widget=forms.Textarea(attrs={"rows": 3}))


def styleguide(request: HttpRequest) -> HttpResponse:
    """Shown to anybody who has signed in: it holds no data."""
    return render(
        request,
        "styleguide.html",
        {
            "tones": {kind: list(states) for kind, states in TONES.items()},
            "environments": ["local", "sandbox", "production"],
            "amounts": [Decimal("1284.6"), Decimal("-3"), None],
            "durations": [timedelta(seconds=35), timedelta(hours=5, minutes=12), None],
            "form": ExampleForm(
                {"name": "Entailment 14", "reward": "0.00", "words": "Three of these differ."}
            ),
            "bar": [
                {"tone": tone, "count": count, "width": width, "x": x, "words": words, "state": ""}
                for tone, count, width, x, words in (
                    ("green", 402, 46, 0, "decided"),
                    ("orange", 96, 12, 46, "all in, to review"),
                    ("blue", 232, 22, 58, "some answers"),
                    ("pale", 70, 9, 80, "no answer yet"),
                    ("grey", 40, 8, 89, "not yet published"),
                    ("red", 6, 3, 97, "failed"),
                )
            ],
        },
    )

"""Every component in every state, on one page; for whoever builds pages, and for the tests that look at them."""

from decimal import Decimal

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mturkhub.common.tones import TONES


def styleguide(request: HttpRequest) -> HttpResponse:
    """Shown to anybody who has signed in: it holds no data."""
    return render(
        request,
        "styleguide.html",
        {
            "tones": {kind: list(states) for kind, states in TONES.items()},
            "environments": ["local", "sandbox", "production"],
            "amounts": [Decimal("1284.6"), Decimal("0.05"), Decimal("-3"), None],
        },
    )

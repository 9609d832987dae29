"""Lets the operator in by a link that works once; nobody else, and never for long."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from marketplace import clock
from marketplace.models import OperatorLink

LINK_LIFETIME = timedelta(hours=1)
SIGNED_IN_FOR = timedelta(hours=8)
_UNTIL = "operator_until"


def new_link() -> str:
    """The address of a fresh link; those before stop working."""
    token = secrets.token_urlsafe(32)
    OperatorLink.objects.update_or_create(
        only=True, defaults={"digest": _digest(token), "expires_at": clock.now() + LINK_LIFETIME}
    )
    return settings.MARKETPLACE_URL + reverse("operator_site:sign_in", args=[token])


def is_good(token: str) -> bool:
    """Whether the link would work."""
    return OperatorLink.objects.filter(digest=_digest(token), expires_at__gt=clock.now()).exists()


def sign_in(request: HttpRequest, token: str) -> bool:
    """Use the link up and sign its holder in, or say that it does not work."""
    used, _ = OperatorLink.objects.filter(digest=_digest(token), expires_at__gt=clock.now()).delete()
    if used:
        request.session.cycle_key()
        request.session[_UNTIL] = (clock.now() + SIGNED_IN_FOR).isoformat()
    return bool(used)


def sign_out(request: HttpRequest) -> None:
    request.session.pop(_UNTIL, None)
    request.session.cycle_key()


def is_operator(request: HttpRequest) -> bool:
    until = request.session.get(_UNTIL)
    return until is not None and datetime.fromisoformat(until) > clock.now()


def for_the_operator(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view that nobody but the operator gets; everybody else learns how to become it."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_operator(request):
            return render(request, "operator/refused.html", status=403)
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response

    return guarded


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

"""Turns an ActionRefused into an answer, in one place, so that views need no try and except."""

import logging
from collections.abc import Callable

import redis
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from mturkhub.common.errors import ActionRefused

# Where a refusal lands when only a part of the page was asked for: the live region of every layout.
LIVE_REGION = "#messages"
# Without it attempts to sign in cannot be counted, and then none is let through.
BROKER_AWAY = (
    "Valkey, the server's notebook for counting attempts, does not answer, so nothing was tried and nothing "
    "was changed. Try again in a minute; if it lasts, tell whoever runs this server."
)
logger = logging.getLogger(__name__)


class RefusalMiddleware:
    """An HTMX request gets the sentence as a fragment, a form its page with a message, others a page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, redis.RedisError):
            logger.error("The broker does not answer: %s", exception)
            exception = ActionRefused(BROKER_AWAY, status=503)
        if not isinstance(exception, ActionRefused):
            return None
        if getattr(request, "htmx", False):
            return _fragment(request, exception)
        # Only after a click on a form: a GET sent back to where it came from could go round in circles.
        if request.method == "POST" and (back := _same_origin_referer(request)):
            messages.error(request, exception.sentence)
            return HttpResponseRedirect(back)
        return render(request, "refused.html", {"refusal": exception}, status=exception.status)


def _fragment(request: HttpRequest, refused: ActionRefused) -> HttpResponse:
    response = render(request, "_refused.html", {"refusal": refused}, status=refused.status)
    response["HX-Retarget"] = LIVE_REGION
    response["HX-Reswap"] = "innerHTML"
    return response


def _same_origin_referer(request: HttpRequest) -> str | None:
    """The page the click came from, when that page is ours."""
    referer = request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(
        referer, {request.get_host()}, require_https=request.is_secure()
    ) and referer.startswith(("http://", "https://"))
    return referer if ours else None

"""One line in the log for each request, and its id: in every line it causes, in the answer and on error pages."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from mturkhub.common.logs import shown_path
from mturkhub.common.tallies import tallies

log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
# What proxies send: UUIDs, hexadecimal digits. Anything else could be meant for whoever reads the log.
_SANE = re.compile(r"[A-Za-z0-9._-]{8,64}")
# Asked for every few seconds by those who watch; well answered, they are no news.
_ROUTINE = {"healthz", "readyz", "metrics"}
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# Upper ends in milliseconds; what took longer is in the last, which has none.
BUCKETS = (50, 100, 250, 500, 1000, 2500, 10_000)


@dataclass(frozen=True)
class _Answered:
    request: HttpRequest
    status: int
    began: float


_answered: ContextVar[_Answered | None] = ContextVar("answered", default=None)


def reference() -> str:
    """The id of the request or task at hand, for a person to quote; empty where there is none."""
    return str(get_contextvars().get("request_id", ""))


def bucket_of(milliseconds: int) -> str:
    """The upper end of the bucket a duration falls into, `inf` for the last."""
    return next((str(end) for end in BUCKETS if milliseconds <= end), "inf")


class RequestLogMiddleware:
    """Takes the id from a proxy's header or makes one, binds it, and returns it with the answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.monotonic()
        clear_contextvars()
        given = request.headers.get(HEADER, "")
        request_id = given if _SANE.fullmatch(given) else str(uuid.uuid4())
        bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response[HEADER] = request_id
        _answered.set(_Answered(request, response.status_code, began))
        return response


def _write_line(**_: Any) -> None:
    """Log and count the request when its last byte is out, so that the time of a download counts."""
    answered = _answered.get()
    _answered.set(None)
    if answered is not None:
        request = answered.request
        page = request.resolver_match.view_name if request.resolver_match else ""
        # Anybody can invent methods, and each would be a figure of its own.
        method = request.method if request.method in _METHODS else "other"
        milliseconds = round((time.monotonic() - answered.began) * 1000)
        tallies().add(
            {
                f"requests|{page}|{method}|{answered.status}": 1,
                f"request_ms|{page}": milliseconds,
                f"request_bucket|{page}|{bucket_of(milliseconds)}": 1,
            }
        )
        log.log(
            logging.DEBUG if page in _ROUTINE and answered.status == 200 else logging.INFO,
            "%s %s %d",
            method,
            page or "no page",
            answered.status,
            extra={
                "method": method,
                "page": page,
                "path": shown_path(request),
                "status": answered.status,
                "duration_ms": milliseconds,
            },
        )
    clear_contextvars()


request_finished.connect(_write_line, dispatch_uid="mturkhub.common.request_log")

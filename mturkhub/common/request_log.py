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

log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
# What proxies send: UUIDs, hexadecimal digits. Anything else could be meant for whoever reads the log.
_SANE = re.compile(r"[A-Za-z0-9._-]{8,64}")


@dataclass(frozen=True)
class _Answered:
    request: HttpRequest
    status: int
    began: float


_answered: ContextVar[_Answered | None] = ContextVar("answered", default=None)


def reference() -> str:
    """The id of the request or task at hand, for a person to quote; empty where there is none."""
    return str(get_contextvars().get("request_id", ""))


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
    """Log the request when its last byte is out, so that the time of a download counts."""
    answered = _answered.get()
    _answered.set(None)
    if answered is not None:
        request = answered.request
        page = request.resolver_match.view_name if request.resolver_match else ""
        log.info(
            "%s %s %d",
            request.method,
            page or "no page",
            answered.status,
            extra={
                "method": request.method,
                "page": page,
                "path": shown_path(request),
                "status": answered.status,
                "duration_ms": round((time.monotonic() - answered.began) * 1000),
            },
        )
    clear_contextvars()


request_finished.connect(_write_line, dispatch_uid="mturkhub.common.request_log")

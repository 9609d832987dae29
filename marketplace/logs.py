"""Logs: one JSON object a line on stderr, each with the request it belongs to; no tokens, no answers, no Workers.

A request's id comes from the proxy or is made here; it is in every line, in the answer and on error pages.
"""

import logging
import re
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import structlog
from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponseBase
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
_SANE = re.compile(r"[A-Za-z0-9._-]{8,64}")
# Asked for every few seconds by those who watch; well answered, they are no news.
_ROUTINE = {"healthz", "metrics"}
# What a line may carry besides its time, level, logger and sentence.
FIELDS = ("method", "page", "path", "status", "duration_ms", "operation")


def shown_path(request: HttpRequest) -> str:
    """The path without whatever could be a token; empty where no page stands behind it."""
    match = request.resolver_match
    if match is None:
        return ""
    path = request.path
    for value in (*match.args, *match.kwargs.values()):
        path = path.replace(str(value), "…") if value else path
    return path


class WithoutAddresses(logging.Filter):
    """Lets every line through; Django's own, which end in the path asked for, without tokens in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest) and isinstance(record.args, tuple) and record.args:
            record.args = (*record.args[:-1], shown_path(request) or "…")
        elif record.name == "gunicorn.error":
            record.msg, record.args = re.sub(r"\?\S+", "?…", record.getMessage()), ()
        return True


def config() -> dict[str, Any]:
    """What Django and gunicorn hand to `logging`."""
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.ExtraAdder(allow=FIELDS),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        ],
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # As text: the structured form would hold local variables, and so keys and answers.
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"addresses": {"()": WithoutAddresses}},
        "formatters": {"json": formatter},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["addresses"]}
        },
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            # A refused call is the caller's business and no warning here.
            "django.request": {"level": "ERROR"},
            # Naming them takes gunicorn's own handlers away, which would write text between the lines.
            "gunicorn.error": {"level": "WARNING", "propagate": True},
            "gunicorn.access": {"level": "ERROR", "propagate": True},
            # It complains about the body of each answer to HEAD, which Django makes and it drops.
            "gunicorn.http.wsgi": {"level": "ERROR"},
        },
    }


def begin(request_id: str) -> None:
    """From here on every line of this thread carries the id."""
    clear_contextvars()
    bind_contextvars(request_id=request_id)


def reference() -> str:
    """The id of the request at hand, for a person to quote."""
    return str(get_contextvars().get("request_id", ""))


# The page being answered: method, page and path as shown, status, and when it began.
_answered: ContextVar[dict[str, Any] | None] = ContextVar("answered", default=None)


class RequestLogMiddleware:
    """One line for each page, and its id; an API call has its own line, see `wire`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.monotonic()
        given = request.headers.get(HEADER, "")
        begin(given if _SANE.fullmatch(given) else str(uuid.uuid4()))
        response = self.get_response(request)
        response[HEADER] = reference()
        match = request.resolver_match
        _answered.set(
            {
                "method": request.method,
                "page": match.view_name if match else "",
                "path": shown_path(request),
                "status": response.status_code,
                "duration_ms": round((time.monotonic() - began) * 1000),
            }
        )
        return response


def _write_line(**_: Any) -> None:
    answered = _answered.get()
    _answered.set(None)
    if answered is not None:
        page = answered["page"] or "no page"
        is_routine = page in _ROUTINE and answered["status"] == 200
        level = logging.DEBUG if is_routine else logging.INFO
        log.log(level, "%s %s %d", answered["method"], page, answered["status"], extra=answered)
    clear_contextvars()


request_finished.connect(_write_line, dispatch_uid="marketplace.logs")

"""Logs: one JSON object a line on stderr, each with the request, person, team and task it belongs to.

Code calls `logging` as everywhere, with fields in `extra`; structlog keeps what is bound to a request or task and
writes the line. Fields are listed here, so that nothing else gets into a log by accident.
"""

import logging
import re
from typing import Any

import structlog
from django.http import HttpRequest

# What a line may carry besides its time, level, logger and sentence.
FIELDS = (
    *("method", "page", "path", "status", "duration_ms", "bytes"),
    *("task", "task_id", "state"),
    *("operation", "outcome", "endpoint"),
)


def shown_path(request: HttpRequest) -> str:
    """The path with everything blotted out that could be a token; empty where no page stands behind it."""
    match = request.resolver_match
    if match is None:
        return ""
    path = request.path
    # What converters made a number or a UUID of is a name; a string may be a secret.
    for value in (*match.args, *match.kwargs.values()):
        if isinstance(value, str) and value:
            path = path.replace(value, "…")
    return path


class WithoutAddresses(logging.Filter):
    """Lets every line through; Django's own, which end in the path asked for, without tokens in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest) and isinstance(record.args, tuple) and record.args:
            record.args = (*record.args[:-1], shown_path(request) or "…")
        elif record.name == "gunicorn.error":
            # It names the address of a request whose answer broke off.
            record.msg, record.args = re.sub(r"\?\S+", "?…", record.getMessage()), ()
        return True


def config() -> dict[str, Any]:
    """What Django, gunicorn and Celery hand to `logging`."""
    every_line: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(allow=FIELDS),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": every_line,
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
            # A refused request has its line already; one that failed adds its traceback.
            "django.request": {"level": "ERROR"},
            # Naming them takes gunicorn's own handlers away, which would write text between the lines.
            "gunicorn.error": {"level": "WARNING", "propagate": True},
            "gunicorn.access": {"level": "ERROR", "propagate": True},
            # It complains about the body of each answer to HEAD, which Django makes and it drops.
            "gunicorn.http.wsgi": {"level": "ERROR"},
            # Each task has a line of ours.
            "celery": {"level": "WARNING"},
            "kombu": {"level": "WARNING"},
        },
    }

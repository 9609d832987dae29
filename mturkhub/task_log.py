"""One line in the log for each Celery task, with the id of the request that rang for it."""

import logging
import logging.config
import time
from contextvars import ContextVar
from typing import Any

from celery.signals import before_task_publish, celeryd_init, setup_logging, task_postrun, task_prerun
from django.conf import settings
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from mturkhub.celery import app

log = logging.getLogger(__name__)

_began: ContextVar[float] = ContextVar("began", default=0.0)


@celeryd_init.connect
@setup_logging.connect
def _log_as_the_site_does(**_: Any) -> None:
    """Keep Celery from setting up loggers of its own; its warnings become lines like any other."""
    logging.config.dictConfig(settings.LOGGING)
    logging.captureWarnings(True)


@before_task_publish.connect
def _hand_on_request(headers: dict[str, Any], **_: Any) -> None:
    if request_id := get_contextvars().get("request_id"):
        headers["request_id"] = request_id


@task_prerun.connect
def _bind_task(task_id: str, task: Any, **_: Any) -> None:
    clear_contextvars()
    bind_contextvars(task_id=task_id, task=task.name)
    if request_id := task.request.get("request_id"):
        bind_contextvars(request_id=request_id)
    _began.set(time.monotonic())


@task_postrun.connect
def _write_line(task: Any, state: str, **_: Any) -> None:
    # Beat's tasks look for what is due every few seconds; what they find rings tasks of its own.
    is_routine = state == "SUCCESS" and task.name in {
        entry["task"] for entry in app.conf.beat_schedule.values()
    }
    log.log(
        logging.DEBUG if is_routine else logging.INFO,
        "%s %s",
        task.name,
        state,
        extra={"state": state, "duration_ms": round((time.monotonic() - _began.get()) * 1000)},
    )
    clear_contextvars()

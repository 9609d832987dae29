"""The passes that do what time does while nobody asks, and send what is in the outbox.

Two small threads in each marketplace process: an endpoint that does not answer must not stop the clock.
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable

from django.db import close_old_connections, connection

from marketplace import clock, delivering, granting, lifecycle, metrics, tokens

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_PASSES = 1
_PASSES_BETWEEN_TIDYING = 600


def start() -> None:
    """Start the threads; they end with the process."""
    for name, act in (("clockwork", _do_what_time_does), ("outbox", _deliver)):
        threading.Thread(target=_run, args=[act], name=name, daemon=True).start()


def tidy() -> int:
    """Dispose of forgotten HITs and deleted qualification types, and delete forgotten tokens; says how many."""
    now = clock.now()
    return lifecycle.dispose_forgotten() + granting.dispose_deleted_types(now) + tokens.forget_tokens(now)


def _do_what_time_does(number: int) -> None:
    lifecycle.apply_due()
    metrics.write_counts()
    if number % _PASSES_BETWEEN_TIDYING == 0:
        tidy()


def _deliver(_number: int) -> None:
    delivering.deliver_due()


def _run(act: Callable[[int], None]) -> None:
    for number in itertools.count():
        try:
            act(number)
        except Exception:
            # A database that is away comes back; a thread that died would not.
            logger.exception("A pass failed; trying again.")
            connection.close()
        close_old_connections()
        time.sleep(_SECONDS_BETWEEN_PASSES)

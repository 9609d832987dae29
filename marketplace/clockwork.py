"""The passes that do what time does while nobody asks: one small thread in each marketplace process."""

import logging
import threading
import time

from django.db import close_old_connections, connection

from marketplace import clock, granting, lifecycle, metrics, tokens

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_PASSES = 1
_PASSES_BETWEEN_TIDYING = 600


def start() -> None:
    """Start the thread; it ends with the process."""
    threading.Thread(target=_run, name="clockwork", daemon=True).start()


def tidy() -> int:
    """Dispose of forgotten HITs and deleted qualification types, and delete forgotten tokens; says how many."""
    now = clock.now()
    return lifecycle.dispose_forgotten() + granting.dispose_deleted_types(now) + tokens.forget_tokens(now)


def _run() -> None:
    passes = 0
    while True:
        try:
            lifecycle.apply_due()
            metrics.write_counts()
            if passes % _PASSES_BETWEEN_TIDYING == 0:
                tidy()
        except Exception:
            # A database that is away comes back; a thread that died would not.
            logger.exception("What time does could not be written down; trying again.")
            connection.close()
        close_old_connections()
        passes += 1
        time.sleep(_SECONDS_BETWEEN_PASSES)

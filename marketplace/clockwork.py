"""The pass that does what time does while nobody asks: one small thread in each marketplace process."""

import logging
import threading
import time

from django.db import close_old_connections, connection

from marketplace import lifecycle

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN = 1.0
_SECONDS_BETWEEN_DISPOSALS = 600.0


def start() -> None:
    """Start the thread; it ends with the process."""
    threading.Thread(target=_run, name="clockwork", daemon=True).start()


def _run() -> None:
    dispose_at = 0.0
    while True:
        try:
            lifecycle.apply_due()
            if time.monotonic() >= dispose_at:
                lifecycle.dispose_forgotten()
                dispose_at = time.monotonic() + _SECONDS_BETWEEN_DISPOSALS
        except Exception:
            # A database that is away comes back; a thread that died would not.
            logger.exception("What time does could not be written down; trying again.")
            connection.close()
        close_old_connections()
        time.sleep(_SECONDS_BETWEEN)

"""Counts that add up over all processes and hosts: fields of one hash in Redis, which `/metrics` reads.

They are for whoever watches, not for money: while the broker is away counts wait in the process, and go with it.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from functools import cache

import redis
from django.conf import settings

from mturkhub.common.broker import client

# Nobody's call or page waits longer than this for being counted, and that at most once in RETRY_AFTER seconds.
PATIENCE = 0.5
RETRY_AFTER = 10.0


class Tallies:
    """The counts of one broker, as this process writes them; safe to share between threads."""

    def __init__(self, url: str, key: str) -> None:
        self._broker = client(url, patience=PATIENCE)
        self._key = key
        self._lock = threading.Lock()
        self._waiting: Counter[str] = Counter()
        self._not_before = 0.0

    def add(self, amounts: Mapping[str, int]) -> None:
        """Add to each field."""
        with self._lock:
            self._waiting.update(amounts)
            if time.monotonic() < self._not_before:
                return
            taken, self._waiting = self._waiting, Counter()
        try:
            with self._broker.pipeline(transaction=False) as pipeline:
                for field, amount in taken.items():
                    pipeline.hincrby(self._key, field, amount)
                pipeline.execute()
        except (redis.RedisError, OSError):
            with self._lock:
                self._waiting.update(taken)
                self._not_before = time.monotonic() + RETRY_AFTER

    def read(self) -> dict[str, int]:
        """Every field with its total; raises when the broker is away."""
        found: dict[bytes, bytes] = self._broker.hgetall(self._key)  # type: ignore[assignment]  # as we ask for no text
        return {field.decode(): int(amount) for field, amount in found.items()}


def tallies() -> Tallies:
    """The counts of this installation."""
    return _tallies(settings.REDIS_URL, f"{settings.CELERY_QUEUE_PREFIX}mturkhub-tallies")


_tallies = cache(Tallies)

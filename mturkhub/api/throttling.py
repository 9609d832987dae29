"""How often one token may ask, counted in Valkey by all processes together."""

import logging
import time

import redis
from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

log = logging.getLogger(__name__)

WINDOW = 60


class TokenThrottle(BaseThrottle):
    """`settings.API_RATE` requests in each minute of the clock."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        if request.auth is None:
            return True
        minute = int(time.time()) // WINDOW
        key = f"api-{request.auth.pk}-{minute}"
        try:
            cache.add(key, 0, timeout=2 * WINDOW)
            return cache.incr(key) <= settings.API_RATE
        except (redis.RedisError, ValueError) as error:
            # What is asked for is written into Postgres and does not need Valkey; neither does its asker.
            log.warning("Requests cannot be counted, so none is refused: %s", error)
            return True

    def wait(self) -> float:
        """Seconds until the next minute begins."""
        return WINDOW - time.time() % WINDOW + 1

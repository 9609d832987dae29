"""The way to Redis or Valkey."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def client(url: str, *, patience: float = 3) -> redis.Redis:
    """A client for an address as Celery writes it, sockets included, which redis-py spells differently."""
    # It answers or it does not: whoever asks decides whether to ask again.
    options: dict[str, Any] = {
        "socket_timeout": patience,
        "socket_connect_timeout": patience,
        "retry": Retry(NoBackoff(), 0),
    }
    parts = urlsplit(url)
    if parts.scheme in ("redis+socket", "socket"):
        database = int(parse_qs(parts.query).get("virtual_host", ["0"])[0].lstrip("/"))
        return redis.Redis(unix_socket_path=parts.path, password=parts.password, db=database, **options)
    return redis.Redis.from_url(url, **options)

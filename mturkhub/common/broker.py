"""The way to Redis or Valkey; Celery and redis-py spell the address of a socket differently."""

from urllib.parse import parse_qs, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def client(url: str, *, patience: float = 3) -> redis.Redis:
    """A client for an address as Celery writes it, sockets included."""
    # It answers or it does not: whoever asks decides whether to ask again.
    return redis.Redis.from_url(
        for_redis_py(url),
        socket_timeout=patience,
        socket_connect_timeout=patience,
        retry=Retry(NoBackoff(), 0),
    )


def for_redis_py(url: str) -> str:
    """`redis+socket:///path?virtual_host=2`, as Celery writes it, in redis-py's words; others stay as they are."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis+socket", "socket"):
        return url
    database = parse_qs(parts.query).get("virtual_host", ["0"])[0].lstrip("/")
    return f"unix://{parts.netloc}{parts.path}?db={database}"

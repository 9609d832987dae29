"""Addresses of a Redis or Valkey: Celery and redis-py spell those of a socket differently."""

from urllib.parse import parse_qs, urlsplit


def for_redis_py(url: str) -> str:
    """`redis+socket:///path?virtual_host=2`, as Celery writes it, in redis-py's words; others stay as they are."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis+socket", "socket"):
        return url
    database = parse_qs(parts.query).get("virtual_host", ["0"])[0].lstrip("/")
    return f"unix://{parts.netloc}{parts.path}?db={database}"

"""The servers an operator brings along: are they there, and new enough?"""

import contextlib
from collections.abc import Sequence
from urllib.parse import urlsplit

import psycopg2
import redis
from psycopg2 import sql

from mturkhub.command.refusals import CannotStart, without_secrets
from mturkhub.common.broker import client

OLDEST_POSTGRES = 140_000


def check_postgres(url: str, *, variable: str, secrets: Sequence[str]) -> None:
    """See that the database answers and is new enough; raises CannotStart."""
    try:
        with contextlib.closing(psycopg2.connect(url, connect_timeout=5)) as connection:
            version = connection.server_version
    except psycopg2.Error as error:
        raise CannotStart(_unreachable(variable, url, error, secrets)) from None
    if version < OLDEST_POSTGRES:
        raise CannotStart(
            f"{variable} names a Postgres {version // 10_000}; 14 is the oldest that works. Use a newer one."
        )


def ensure_beside(url: str, database: str) -> None:
    """Make a further database on the server of `url` if it is missing and we may; checking it comes later."""
    with (
        contextlib.suppress(psycopg2.Error),
        contextlib.closing(psycopg2.connect(url, connect_timeout=5)) as connection,
    ):
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("create database {}").format(sql.Identifier(database)))


def check_redis(url: str, *, secrets: Sequence[str]) -> None:
    """See that the broker answers; raises CannotStart."""
    try:
        with client(url) as connection:
            connection.ping()
    except (redis.RedisError, OSError, ValueError) as error:
        raise CannotStart(_unreachable("REDIS_URL", url, error, secrets)) from None


def _unreachable(variable: str, url: str, error: Exception, secrets: Sequence[str]) -> str:
    parts = urlsplit(url)
    where = f"{(parts.netloc or parts.path).rpartition('@')[2]}{parts.path if parts.netloc else ''}"
    reason = " ".join(without_secrets(str(error), [*secrets, parts.password or ""]).split())
    return f"{variable} ({where}) cannot be reached: {reason} Start that server, or mend or unset {variable}."

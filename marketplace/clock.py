"""The marketplace's one clock: Postgres', plus an offset that tests may move.

`now()` is for ages and deadlines; `real_now()` is for signatures, whose age no test clock may change.
"""

from datetime import datetime, timedelta
from typing import cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from marketplace.models import ClockOffset

# SQL for both; the table is read only where an offset is possible.
REAL_NOW_SQL = "clock_timestamp()"
_OFFSET_SQL = "coalesce((select \"offset\" from marketplace_clockoffset), interval '0')"


def now_sql() -> str:
    """An SQL expression for `now()`."""
    return f"{REAL_NOW_SQL} + {_OFFSET_SQL}" if settings.TEST_CLOCK else REAL_NOW_SQL


def now() -> datetime:
    """Postgres' clock plus the test offset, UTC."""
    with connection.cursor() as cursor:
        cursor.execute(f"select {now_sql()}")
        return cast(datetime, cursor.fetchone()[0])


def advance(by: timedelta) -> None:
    """Move the test clock ahead; refused unless MTURKHUB_TEST_CLOCK is set."""
    if not settings.TEST_CLOCK:
        raise ImproperlyConfigured(
            "The clock can only be moved with MTURKHUB_TEST_CLOCK=1 and without https."
        )
    row, made = ClockOffset.objects.get_or_create(only=True, defaults={"offset": by})
    if not made:
        row.offset += by
        row.save(update_fields=["offset"])

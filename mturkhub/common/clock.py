"""The one clock. It is Postgres', so that no host's clock matters.

`now()` is for ages and deadlines and moves with the test clock; `real_now()` is for leases and time-outs.
"""

from datetime import datetime, timedelta
from typing import cast

from django.conf import settings
from django.db import connection

from mturkhub.common.errors import ActionRefused
from mturkhub.common.models import ClockOffset


def real_now() -> datetime:
    """Postgres' clock, UTC."""
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        return cast(datetime, cursor.fetchone()[0])


def now() -> datetime:
    """Postgres' clock plus the test offset, UTC."""
    with connection.cursor() as cursor:
        cursor.execute(f"select {now_sql()}")
        return cast(datetime, cursor.fetchone()[0])


def now_sql() -> str:
    """The same for a statement that writes many rows: asked once, all get the same time."""
    if not settings.TEST_CLOCK:
        return "(select clock_timestamp())"
    return "(select clock_timestamp() + coalesce((select \"offset\" from common_clockoffset), interval '0'))"


def advance(by: timedelta) -> None:
    """Move the test clock ahead; refused unless MTURKHUB_TEST_CLOCK is set."""
    if not settings.TEST_CLOCK:
        raise ActionRefused("The clock can only be moved with MTURKHUB_TEST_CLOCK=1 and without https.")
    row, made = ClockOffset.objects.get_or_create(only=True, defaults={"offset": by})
    if not made:
        row.offset += by
        row.save(update_fields=["offset"])

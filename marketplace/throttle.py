"""Lets a requester make so many calls a second, counted in the database for all processes together."""

from django.conf import settings
from django.db import connection

from marketplace import clock
from marketplace.errors import ApiError

# A bucket that fills with time and gives a call at a time, looked at and changed in one statement. Real time, for
# a test clock that jumps would fill it.
_TAKE = f"""
    insert into marketplace_ratebucket as bucket (requester_id, calls, filled_at)
    values (%(requester)s, %(burst)s - 1, {clock.REAL_NOW_SQL})
    on conflict (requester_id) do update
        set calls = least(%(burst)s, bucket.calls + %(rate)s * extract(epoch from excluded.filled_at - bucket.filled_at)) - 1,
            filled_at = excluded.filled_at
        where least(%(burst)s, bucket.calls + %(rate)s * extract(epoch from excluded.filled_at - bucket.filled_at)) >= 1
    returning 1
"""  # noqa: S608  (only our own constant is put in)


def check_rate(requester_id: int) -> None:
    """Count a call, or raise ThrottlingException; without a rate nothing is counted."""
    if settings.RATE is None:
        return
    rate, burst = settings.RATE
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"requester": requester_id, "rate": rate, "burst": burst})
        if cursor.fetchone() is None:
            raise ApiError("ThrottlingException", "Rate exceeded")

"""UniqueRequestTokens: a token acts once in 24 hours, however many callers race with it."""

from datetime import datetime, timedelta

from django.db import connection

from marketplace.call import Call
from marketplace.models.request_token import RequestToken, TokenFamily

REMEMBERED = timedelta(hours=24)

_CLAIM = """
    insert into marketplace_requesttoken as known (requester_id, family, token, outcome, used_at)
    values (%s, %s, %s, %s, %s)
    on conflict (requester_id, family, token) do update
        set outcome = excluded.outcome, used_at = excluded.used_at
        where known.used_at <= %s
    returning id
"""


def claim_token(call: Call, family: TokenFamily, token: str | None, *, outcome: str) -> str | None:
    """Take the token for this transaction, or say what it led to when it acted before.

    A racing call with the same token waits here until this transaction ends; a rollback gives the token back.
    """
    if token is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM, [call.requester_id, family.value, token, outcome, call.now, call.now - REMEMBERED]
        )
        if cursor.fetchone():
            return None
    known = RequestToken.objects.get(requester_id=call.requester_id, family=family, token=token)
    return known.outcome


def forget_tokens(now: datetime) -> int:
    """Delete tokens that may act again, and say how many there were."""
    forgotten, _ = RequestToken.objects.filter(used_at__lte=now - REMEMBERED).delete()
    return forgotten

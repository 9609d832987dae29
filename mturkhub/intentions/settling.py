"""What an answer, or the lack of one, makes of an intention; and the loop over those nobody knows about.

Rooms register how each kind of intention is settled, so that this room calls nobody up.
"""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError
from mturkhub.intentions.claiming import Outcome, clear_stale
from mturkhub.intentions.models import Intention, IntentionState

# MTurk remembers a token for 24 hours; after 23 nobody sends again without looking.
TOKEN_LIFE = timedelta(hours=23)

# Looks up a Connection's unknown rows of one model and settles those it can; returns how many.
Settle = Callable[[Connection, MTurkGateway], int]
_settlers: dict[type[Intention], Settle] = {}


def settles(model: type[Intention]) -> Callable[[Settle], Settle]:
    """Register how unknown rows of this model are settled."""

    def register(settle: Settle) -> Settle:
        _settlers[model] = settle
        return settle

    return register


def clear_all_stale() -> int:
    """Free what dead senders held, in every registered table; returns how many rows became `unknown`."""
    return sum(clear_stale(model) for model in _settlers)


def connections_to_settle() -> list[int]:
    """Keys of Connections that have unknown rows."""
    keys: set[int] = set()
    for model in _settlers:
        unknown = model._default_manager.filter(**{model.STATE_FIELD: IntentionState.UNKNOWN})
        keys.update(unknown.values_list("connection_id", flat=True).distinct())
    return sorted(keys)


def settle_connection(connection: Connection, gateway: MTurkGateway) -> int:
    """Settle what can be settled of one Connection's unknown rows; returns how many."""
    return sum(settle(connection, gateway) for settle in _settlers.values())


def token_is_live(first_sent_at: datetime | None, now: datetime) -> bool:
    """Whether sending again with the same token is known to be harmless."""
    return first_sent_at is None or now - first_sent_at < TOKEN_LIFE


def after_error(pk: int, error: MTurkError, *, attempts: int) -> Outcome:
    """What a failed call makes of its row: unknown if it may have happened, else queued again or failed."""
    text = f"{error.sentence}\n{error.details}"
    if error.may_have_happened:
        return Outcome(pk, IntentionState.UNKNOWN, text)
    if error.retry_can_help:
        # A throttled call slows its whole Connection down, so the row itself need not wait for long.
        wait = back_off(0 if error.is_throttling else attempts)
        return Outcome(pk, IntentionState.QUEUED, text, due_at=clock.now() + wait)
    return Outcome(pk, IntentionState.FAILED, text)


def line_is_down(failed: int, sent: int) -> bool:
    """Whether so many of these calls came to nothing that going on would only make more rows unknown.

    A few that fail among others that do not are sent or looked up again by themselves.
    """
    return 2 * failed >= max(sent, 1)


def back_off(attempts: int) -> timedelta:
    """2, 4, 8 … up to 120 seconds, each with jitter so that rows do not come back together."""
    longest = min(120.0, 2.0 ** min(attempts + 1, 7))
    return timedelta(seconds=longest * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

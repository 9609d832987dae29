"""Who may send which intention now: doorbells, leases and the last commit before a call.

A claimed row stays `queued` under a lease. It becomes `sending`, in a commit of its own, right before it is
sent. A lease that ran out frees a queued row; one that was `sending` is then `unknown`, and looked up.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import kombu.exceptions
import redis
from django.db import connection, models, transaction
from django.db.models import Q

from mturkhub.common import clock
from mturkhub.intentions.models import Intention, IntentionState

log = logging.getLogger(__name__)

IntentionT = TypeVar("IntentionT", bound=Intention)

LEASE = timedelta(seconds=60)
# A call may take 35 s, 5 to connect and 30 to read; nobody begins one that might outlive the lease.
LATEST_START = 20.0
# Rows that wait for their turn are held for another lease so often.
RENEW_AFTER = 10.0
# Seconds of one task; then whatever else waits for a worker has its own.
TURN = 4.0
# Rows marked `sending` in one commit.
GROUP = 32


def ring(task: Any, *keys: Any, at: datetime | None = None) -> None:
    """Have the task run after commit, or at the given time. A bell that fails is logged: beat rings."""
    transaction.on_commit(lambda: _ring_now(task, keys, at), robust=True)


def _ring_now(task: Any, keys: Sequence[Any], at: datetime | None) -> None:
    wait = max(0.0, (at - clock.now()).total_seconds()) if at else 0.0
    try:
        task.apply_async(args=keys, countdown=wait or None, retry=False)
    except (kombu.exceptions.OperationalError, redis.RedisError, OSError) as error:
        log.warning("Could not ring %s%r; beat will: %s", task.name, tuple(keys), error)


@dataclass
class Claim(Generic[IntentionT]):
    """Rows taken for LEASE by one sender."""

    rows: list[IntentionT]
    lease_until: datetime | None
    # On this process' own steady clock, so that no difference between two clocks matters.
    ends: float

    @property
    def may_start(self) -> bool:
        """Whether a call begun now ends within the lease."""
        return time.monotonic() < self.ends - (LEASE.total_seconds() - LATEST_START)


def claim(rows: models.QuerySet[IntentionT], *, limit: int) -> Claim[IntentionT]:
    """Take up to `limit` of these rows that are queued, due and under nobody's lease; they stay queued.

    Nothing is taken of a paused Connection.
    """
    begun = time.monotonic()
    state = rows.model.STATE_FIELD
    with transaction.atomic():
        now = clock.real_now()
        taken = list(
            rows.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now), connection__paused_at=None)
            .filter(**{state: IntentionState.QUEUED}, due_at__lte=clock.now())
            .order_by("due_at", "id")
            .select_for_update(skip_locked=True, of=("self",))[:limit]
        )
        until = now + LEASE
        _all(rows.model).filter(pk__in=[row.pk for row in taken]).update(lease_until=until)
    return Claim(taken, until, begun + LEASE.total_seconds())


def mark_sending(held: Claim[IntentionT], rows: Sequence[IntentionT]) -> list[IntentionT]:
    """Commit `sending` for those of the rows that are still ours, and return them; the lease begins anew."""
    if not rows:
        return []
    begun = time.monotonic()
    model = type(rows[0])
    table, state = model._meta.db_table, model.STATE_FIELD
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            update {table} set {state} = 'sending', first_sent_at = coalesce(first_sent_at, %(now)s),
                last_sent_at = %(now)s, lease_until = clock_timestamp() + make_interval(secs => %(lease)s), attempts = attempts + 1
            where id = any(%(rows)s) and lease_until = %(until)s and {state} = 'queued'
            returning id
            """,  # noqa: S608 - names of our own tables and columns
            {
                "now": now,
                "lease": LEASE.total_seconds(),
                "rows": [row.pk for row in rows],
                "until": held.lease_until,
            },
        )
        ours = {key for (key,) in cursor.fetchall()}
    held.ends = begun + LEASE.total_seconds()
    return [row for row in rows if row.pk in ours]


def renew(held: Claim[IntentionT], rows: Sequence[IntentionT]) -> None:
    """Hold rows that wait for their turn for another LEASE."""
    if not rows:
        return
    begun = time.monotonic()
    until = clock.real_now() + LEASE
    _all(type(rows[0])).filter(pk__in=[row.pk for row in rows], lease_until=held.lease_until).update(
        lease_until=until
    )
    held.lease_until, held.ends = until, begun + LEASE.total_seconds()


def renew_old(held: Claim[IntentionT]) -> None:
    """Hold the rows of a claim that wait for their turn for another LEASE, unless it has just begun."""
    if time.monotonic() > held.ends - LEASE.total_seconds() + RENEW_AFTER:
        renew(held, held.rows)


def give_back(held: Claim[IntentionT], rows: Iterable[IntentionT]) -> None:
    """Free rows that were claimed and not sent."""
    rows = list(rows)
    if rows:
        model = type(rows[0])
        _all(model).filter(
            pk__in=[row.pk for row in rows],
            lease_until=held.lease_until,
            **{model.STATE_FIELD: IntentionState.QUEUED},
        ).update(lease_until=None)


def clear_stale(model: type[Intention]) -> int:
    """Free queued rows whose sender is gone; what it was sending becomes `unknown`. Returns how many."""
    state = model.STATE_FIELD
    stale = _all(model).filter(lease_until__lt=clock.real_now())
    stale.filter(**{state: IntentionState.QUEUED}).update(lease_until=None)
    return stale.filter(**{state: IntentionState.SENDING}).update(
        **{state: IntentionState.UNKNOWN},
        lease_until=None,
        outcome="The sender was stopped before MTurk's answer was stored; checking what happened.",
    )


@dataclass(frozen=True)
class Outcome:
    """What came of one intention."""

    pk: int
    state: IntentionState
    text: str = ""
    # For a row that is queued again: not before then.
    due_at: datetime | None = None
    # A look has proved that nothing happened: the token may be sent as if for the first time.
    never_happened: bool = False


def record_outcomes(
    model: type[Intention], outcomes: Sequence[Outcome], *, only: Sequence[IntentionState]
) -> list[int]:
    """Write the outcomes of rows that are in one of the `only` states, in one statement; returns their keys."""
    if not outcomes:
        return []
    table, state = model._meta.db_table, model.STATE_FIELD
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            update {table} as row set
                {state} = fresh.state,
                outcome = fresh.outcome,
                due_at = coalesce(fresh.due_at, row.due_at),
                first_sent_at = case when fresh.never_happened then null else row.first_sent_at end,
                lease_until = null
            from unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::boolean[])
                as fresh (id, state, outcome, due_at, never_happened)
            where row.id = fresh.id and row.{state} = any(%s)
            returning row.id
            """,  # noqa: S608 - names of our own tables and columns
            [
                [outcome.pk for outcome in outcomes],
                [outcome.state.value for outcome in outcomes],
                [outcome.text for outcome in outcomes],
                [outcome.due_at for outcome in outcomes],
                [outcome.never_happened for outcome in outcomes],
                [state.value for state in only],
            ],
        )
        return [key for (key,) in cursor.fetchall()]


def _all(model: type[IntentionT]) -> models.QuerySet[IntentionT]:
    return model._default_manager.all()

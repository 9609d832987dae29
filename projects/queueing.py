"""Rows of a batch become HITs that wait to be created, by INSERT … SELECT however many they are.

A pace spreads the times they are due; publishing then creates what is due.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Membership
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules.connections import balance_seen, check_can_use
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.public_ids import UUID7_SQL
from mturkhub.gateway.fees import LARGE_HIT, fee_per_assignment
from projects import rules
from projects.budgets import reserve
from projects.costs import Cost, batch_cost
from projects.entering import ENTER
from projects.models import HIT, Batch, BatchRow, LedgerReason
from projects.states import BatchState

BY = Actor.system("publishing as scheduled")
# In `reason` of a HIT that asks again for what an earlier one did not bring.
AGAIN = "asked again"

_COLUMNS = """
    insert into projects_hit (
        public_id, token, team_id, connection_id, batch_id, row_id, "group", round, max_assignments,
        publish_state, hit_status, listed_status, refetches_left, sweeps_without,
        due_at, attempts, outcome, by_id, by_rule, reason, reserved_on, price_each, committed
    )
"""
_FIRST_ROUND = f"""
    {_COLUMNS}
    select {UUID7_SQL}, gen_random_uuid(), team_id, %(connection)s, batch_id, id, 0, 0, %(answers)s,
        'queued', '', '', 0, 0,
        %(now)s::timestamptz + (row_number() over (order by number) - 1) * %(gap)s::interval,
        0, '', %(by)s, %(rule)s, '', %(month)s, %(price)s, %(price)s * %(answers)s
    from projects_batchrow r
    where batch_id = %(batch)s and (%(first)s::int is null or number <= %(first)s)
        and not exists (select from projects_hit h where h.row_id = r.id)
    order by number
"""  # noqa: S608 - a constant of ours
_NEXT_ROUND = f"""
    {_COLUMNS}
    select {UUID7_SQL}, gen_random_uuid(), h.team_id, h.connection_id, h.batch_id, h.row_id, h."group",
        (select max(round) + 1 from projects_hit o where o.row_id = h.row_id and o."group" = h."group"),
        %s, 'queued', '', '', 0, 0,
        %s, 0, '', %s, %s, '', %s, %s, 0
    from projects_hit h where h.id in (CHOSEN) order by h.id
"""  # noqa: S608 - a constant of ours
# What each row was asked for, less what came and was not rejected, less what may still come.
_MISSING = """
    select h.row_id, (select max(round) from projects_hit o where o.row_id = h.row_id) as last_round,
        sum(h.max_assignments) filter (where h.reason <> %(again)s)
            - (select count(*) from projects_assignment a where a.row_id = h.row_id and a.status <> 'Rejected')
            - coalesce(sum(greatest(0, h.max_assignments
                - (select count(*) from projects_assignment a where a.hit_id = h.id)))
                filter (where h.publish_state <> 'published'
                    or h.hit_status in ('Assignable', 'Unassignable') and h.missing_since is null), 0) as missing
    from projects_hit h
    where h.batch_id = %(batch)s and h.publish_state in ('published', 'queued', 'sending', 'unknown')
    group by h.row_id
"""
_ASK_AGAIN = f"""
    {_COLUMNS}
    select {UUID7_SQL}, gen_random_uuid(), r.team_id, %(connection)s, r.batch_id, r.id, 0, m.last_round + 1, m.missing,
        'queued', '', '', 0, 0,
        %(now)s, 0, '', %(by)s, %(rule)s, %(again)s, %(month)s,
        case when m.missing >= %(large)s then %(large_price)s else %(small_price)s end,
        m.missing * case when m.missing >= %(large)s then %(large_price)s else %(small_price)s end
    from ({_MISSING}) m join projects_batchrow r on r.id = m.row_id
    where m.missing > 0 order by r.number
"""  # noqa: S608 - a constant of ours
# HITs that carry what is committed to them are one entry of the ledger, however many they are.
_WITH_ENTRY = f"""
    with made as (
        INSERT returning id, team_id, connection_id, batch_id, max_assignments, committed, by_id, by_rule
    ), entry as (
        {ENTER}
        select m.team_id, m.connection_id, m.batch_id, case count(*) when 1 then min(m.id) end, null, null, null, 'held',
            sum(m.committed), sum(m.committed - m.max_assignments * b.reward), sum(m.max_assignments), %(why)s,
            NOW, m.by_id, m.by_rule
        from made m join projects_batch b on b.id = m.batch_id
        group by m.team_id, m.connection_id, m.batch_id, m.by_id, m.by_rule having sum(m.committed) > 0
    )
    select count(*) from made
"""  # noqa: S608 - a constant of ours
_SPREAD = """
    update projects_hit h set due_at = %(now)s::timestamptz + fresh.place * %(gap)s::interval
    from (
        select id, row_number() over (order by due_at, id) - 1 as place from projects_hit
        where batch_id = %(batch)s and publish_state = 'queued'
    ) fresh
    where h.id = fresh.id and h.publish_state = 'queued'
"""


def queue_rows(batch: Batch, *, by: Actor, month: date, now: datetime, first: int | None = None) -> int:
    """A HIT for every row of the batch that has none, or for the first so many rows; returns how many.

    Their price has been reserved in that month.
    """
    answers = batch.max_assignments
    values = {"answers": answers, "first": first, "month": month, "price": price_each(batch, answers)}
    return _commit(_FIRST_ROUND, {**_who(by), **_of(batch, now), **values}, LedgerReason.PUBLISHED)


def queue_further_hits(
    hits: QuerySet[HIT], batch: Batch, *, answers: int, by: Actor, month: date, now: datetime
) -> int:
    """A further HIT, in the next round, for the row of each of these HITs; returns how many.

    Whoever calls recounts the rows, which commits their price.
    """
    chosen, parameters = hits.order_by("pk").values("pk").query.sql_with_params()
    who, price = _who(by), price_each(batch, answers)
    return _execute(
        _NEXT_ROUND.replace("CHOSEN", chosen),
        [answers, now, who["by"], who["rule"], month, price, *parameters],
    )


def queue_missing(batch: Batch, *, by: Actor, month: date, now: datetime) -> int:
    """A further HIT for each row of which answers are missing, for exactly these; returns how many.

    Their price has been reserved in that month.
    """
    prices = {
        "month": month,
        "large": LARGE_HIT,
        "large_price": price_each(batch, LARGE_HIT),
        "small_price": price_each(batch, 1),
    }
    values = {**_who(by), **_of(batch, now), **prices, "again": AGAIN}
    return _commit(_ASK_AGAIN, values, LedgerReason.ASKED_AGAIN)


def price_each(batch: Batch, max_assignments: int) -> Decimal:
    """Reward and fee of one answer to a HIT of so many, in dollars."""
    fee = fee_per_assignment(batch.reward, max_assignments, batch.connection.fee_schedule)
    return batch.reward + fee


def missing_answers(batch: Batch) -> dict[int, int]:
    """So many answers missing → in so many rows."""
    with database.cursor() as cursor:
        cursor.execute(
            f"select missing, count(*) from ({_MISSING}) m where missing > 0 group by missing",  # noqa: S608
            {"batch": batch.pk, "again": AGAIN},
        )
        return {int(missing): rows for missing, rows in cursor.fetchall()}


def spread(batch: Batch, *, now: datetime) -> None:
    """Let what waits be due from now on at the batch's pace: time that passed while it was paused is not made up for."""
    if batch.rows_per_hour:
        _execute(_SPREAD, _of(batch, now))


def rows_without_hit(batch: Batch) -> int:
    """Rows that a trial has left out."""
    return (
        BatchRow.objects.filter(batch=batch).exclude(Exists(HIT.objects.filter(row=OuterRef("pk")))).count()
    )


def cost_of(batch: Batch, rows: int) -> Cost:
    return batch_cost(
        rows=rows,
        reward=batch.reward,
        max_assignments=batch.max_assignments,
        schedule=batch.connection.fee_schedule,
    )


def check_covered(batch: Batch, total: Decimal) -> None:
    """Raise unless the team may use the Connection and its balance covers so many dollars."""
    check_can_use(batch.connection, batch.team_id)
    seen = balance_seen(batch.connection, batch.team_id)
    rules.check_balance_covers(batch.connection.balance, total, seen=seen)


def rows_at_first(batch: Batch) -> int:
    """How many rows publishing begins with: those of the trial, or all."""
    return min(batch.first_rows or batch.rows_total, batch.rows_total)


def begin(batch: Batch, *, by: Actor) -> Batch:
    """Queue a locked batch's HITs; it is publishing from then on. Raises ActionRefused."""
    cost = cost_of(batch, rows_at_first(batch))
    check_covered(batch, cost.total)
    now = clock.now()
    publisher = by.user or batch.scheduled_by or batch.created_by
    month = reserve(batch, cost.total, publisher_id=publisher.pk, now=now)
    queue_rows(batch, by=by, month=month, now=now, first=batch.first_rows)
    batch.state, batch.state_reason = BatchState.PUBLISHING, ""
    batch.published_at, batch.published_by = now, publisher
    batch.save(update_fields=["state", "state_reason", "published_at", "published_by"])
    record(by, "batch.published", batch, team_id=batch.team_id, rows=cost.rows, total=str(cost.total))
    return batch


@dataclass(frozen=True)
class Again:
    """What asking again for missing answers would do; `total` is dollars, with the fee."""

    rows: int
    answers: int
    total: Decimal


def plan_again(batch: Batch) -> Again:
    """Each row's HIT is as large as what is missing, and its fee follows from that."""
    sizes = missing_answers(batch)
    costs = [
        batch_cost(
            rows=rows, reward=batch.reward, max_assignments=size, schedule=batch.connection.fee_schedule
        )
        for size, rows in sizes.items()
    ]
    return Again(
        rows=sum(sizes.values()),
        answers=sum(size * rows for size, rows in sizes.items()),
        total=sum((cost.total for cost in costs), Decimal("0.00")),
    )


# On schedule --------------------------------------------------------------------------------------


def begin_scheduled(batch_id: int) -> bool:
    """Publish a batch whose time has come; returns whether it began. What speaks against it makes it a draft again."""
    with transaction.atomic():
        locked = Batch.objects.select_for_update(no_key=True, of=("self",)).select_related(
            "connection", "team"
        )
        batch = locked.filter(pk=batch_id, state=BatchState.SCHEDULED, publish_at__lte=clock.now()).first()
        if batch is None:
            return False
        try:
            # Rights are asked again: whoever scheduled it may have lost them.
            check_can(_scheduler(batch), Permission.BATCH_PUBLISH, batch.team_id)
            begin(batch, by=BY)
        except ActionRefused as refused:
            batch.state = BatchState.DRAFT
            batch.state_reason = f"It was not published as scheduled. {refused.sentence}"
            batch.publish_at, batch.scheduled_by = None, None
            batch.save(update_fields=["state", "state_reason", "publish_at", "scheduled_by"])
            record(BY, "batch.not_begun", batch, team_id=batch.team_id, reason=refused.sentence)
            return False
    return True


def _scheduler(batch: Batch) -> Actor:
    memberships = Membership.objects.filter(team_id=batch.team_id, user=batch.scheduled_by)
    membership = memberships.select_related("user").first()
    return Actor.person(membership) if membership else Actor()


def _who(by: Actor) -> dict[str, Any]:
    return {"by": by.user.pk if by.user else None, "rule": by.rule}


def _of(batch: Batch, now: datetime) -> dict[str, Any]:
    gap = timedelta(hours=1) / batch.rows_per_hour if batch.rows_per_hour else timedelta(0)
    return {"batch": batch.pk, "connection": batch.connection_id, "now": now, "gap": gap}


def _commit(insert: str, values: Mapping[str, Any], why: LedgerReason) -> int:
    """Make HITs and enter in the ledger what is held for them, in one statement; returns how many."""
    with database.cursor() as cursor:
        statement = _WITH_ENTRY.replace("INSERT", insert).replace("NOW", clock.now_sql())
        cursor.execute(statement, {**values, "why": why.value})
        return int(cursor.fetchone()[0])


def _execute(sql: str, parameters: Mapping[str, Any] | list[Any]) -> int:
    with database.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)

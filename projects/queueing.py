"""Rows of a batch become HITs that wait to be created, by INSERT … SELECT however many they are.

A pace spreads the times they are due; publishing then creates what is due.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet

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
from projects.costs import Cost, batch_cost, mixed_cost
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
# What a row `r` of a batch `b` is asked for at first.
_ASKED = "case when b.only_missing then r.missing else b.max_assignments end"
_PRICE = "case when {answers} >= %(large)s then %(large_price)s else %(small_price)s end"
_FIRST_ROUND = f"""
    {_COLUMNS}
    select {UUID7_SQL}, gen_random_uuid(), r.team_id, %(connection)s, r.batch_id, r.id, 0, 0, n.answers,
        'queued', '', '', 0, 0,
        %(now)s::timestamptz + (row_number() over (order by r.number) - 1) * %(gap)s::interval,
        0, '', %(by)s, %(rule)s, '', %(month)s, n.price, n.price * n.answers
    from projects_batchrow r join projects_batch b on b.id = r.batch_id
        cross join lateral (select {_ASKED} as answers, {_PRICE.format(answers=_ASKED)} as price) n
    where r.batch_id = %(batch)s and (%(first)s::int is null or r.number <= %(first)s)
        and not exists (select from projects_hit h where h.row_id = r.id)
    order by r.number
"""  # noqa: S608 - a constant of ours
_NEXT_ROUND = f"""
    {_COLUMNS}
    select {UUID7_SQL}, gen_random_uuid(), h.team_id, h.connection_id, h.batch_id, h.row_id, h."group",
        (select max(round) + 1 from projects_hit o where o.row_id = h.row_id and o."group" = h."group"),
        %s, 'queued', '', '', 0, 0,
        %s, 0, '', %s, %s, '', %s, %s, 0
    from projects_hit h where h.id in (CHOSEN) order by h.id
"""  # noqa: S608 - a constant of ours
# Of a row `r` of a batch `b`: what its HITs were asked for, what of that may still come, and what came and was not
# rejected. A round that could not be created is no hindrance to asking again.
_IS_OVER = "b.state in ('closing', 'closed', 'cancelled')"
_HITS_OF_ROW = """
    cross join lateral (
        select coalesce(sum(h.max_assignments) filter (where h.reason <> %(again)s), 0) as wanted,
            coalesce(sum(greatest(0, h.max_assignments
                - (select count(*) from projects_assignment a where a.hit_id = h.id)))
                filter (where h.publish_state <> 'published'
                    or h.hit_status in ('Assignable', 'Unassignable') and h.missing_since is null), 0) as coming,
            count(*) as hits
        from projects_hit h where h.row_id = r.id and h.publish_state in (STATES)
    ) asked cross join lateral (
        select count(*) as kept from projects_assignment a where a.row_id = r.id and a.status <> 'Rejected'
    ) answered
"""
_HITS = _HITS_OF_ROW.replace("STATES", "'published', 'queued', 'sending', 'unknown'")
# What a batch that continues another has in hand can be tried again there.
_HITS_IN_HAND = _HITS_OF_ROW.replace("STATES", "'published', 'queued', 'sending', 'unknown', 'failed'")
# Rows that a batch never came to ask for are missing altogether once it is over.
_OWN = f"""
    select r.id as row_id, r.continues_id,
        coalesce((select max(round) from projects_hit o where o.row_id = r.id), -1) as last_round,
        greatest(asked.wanted, case when {_IS_OVER} then {_ASKED} else 0 end)
            - answered.kept - asked.coming as missing
    from projects_batchrow r join projects_batch b on b.id = r.batch_id {_HITS}
    where r.batch_id = BATCH ONLY
"""  # noqa: S608 - a constant of ours
# What the batches that continue a row's batch see to: what came, what may come, and what a draft will ask for; less
# what somebody asked for there on top of what was missing.
_ELSEWHERE = f"""
    cross join lateral (
        select coalesce(sum(case
            when {_IS_OVER} then answered.kept + asked.coming
            when asked.hits = 0 then least(r.missing, {_ASKED})
            else answered.kept + asked.coming - greatest(0, asked.wanted - r.missing)
        end), 0) as seen_to
        from projects_batchrow r join projects_batch b on b.id = r.batch_id {_HITS_IN_HAND}
        where r.continues_id = ITEM
    ) elsewhere
"""  # noqa: S608 - a constant of ours
# Row → what is missing of it, and of the whole item where other batches ask for it as well: the smaller of both.
_MISSING_OF_FIRST = f"""
    select own.row_id, own.last_round, least(own.missing, own.missing - elsewhere.seen_to)::int as missing
    from ({_OWN.replace("BATCH", "%(batch)s")}) own {_ELSEWHERE.replace("ITEM", "own.row_id")}
    where own.missing > 0
"""  # noqa: S608 - a constant of ours
_MISSING_OF_LINKED = f"""
    select own.row_id, own.last_round, least(own.missing, first.missing - elsewhere.seen_to)::int as missing
    from ({_OWN.replace("BATCH", "%(batch)s")}) own
        join ({_OWN.replace("BATCH", "%(first_batch)s").replace("ONLY", "ONLY_FIRST")}) first on first.row_id = own.continues_id
        {_ELSEWHERE.replace("ITEM", "own.continues_id")}
    where own.missing > 0
"""  # noqa: S608 - a constant of ours
# Or so many of the rows that are named.
_CHOSEN = "select * from unnest(%(rows)s::bigint[], %(rounds)s::int[], %(sizes)s::int[]) as chosen (row_id, last_round, missing)"
# Rejected answers for which the newest round of their row asks; who is just overturning one has it locked.
_MARK = """
    update projects_assignment marked set asked_again_in_id = made.hit_id
    from (
        select a.id as answer_id, h.id as hit_id,
            row_number() over (partition by a.row_id order by a.id) as place, h.max_assignments
        from projects_assignment a join projects_hit h on h.row_id = a.row_id
        where a.batch_id = %(batch)s and a.status = 'Rejected' and a.asked_again_in_id is null
            and a.pending_verdict = '' and h.publish_state = 'queued' and h.reason = %(again)s and h.due_at = %(now)s
    ) made
    where marked.id = made.answer_id and made.place <= made.max_assignments and marked.id in (
        select id from projects_assignment where batch_id = %(batch)s and status = 'Rejected'
            and asked_again_in_id is null and pending_verdict = '' for no key update skip locked
    )
"""
_ASK_AGAIN = f"""
    {_COLUMNS}
    select {UUID7_SQL}, gen_random_uuid(), r.team_id, %(connection)s, r.batch_id, r.id, 0, m.last_round + 1, m.missing,
        'queued', '', '', 0, 0,
        %(now)s, 0, '', %(by)s, %(rule)s, %(again)s, %(month)s, n.price, m.missing * n.price
    from (MISSING) m join projects_batchrow r on r.id = m.row_id
        cross join lateral (select {_PRICE.format(answers="m.missing")} as price) n
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


@dataclass(frozen=True)
class Missing:
    """So many answers missing of a row, whose newest round so far is this one."""

    row_id: int
    last_round: int
    answers: int


def queue_rows(batch: Batch, *, by: Actor, month: date, now: datetime, first: int | None = None) -> int:
    """A HIT for every row of the batch that has none, or for the first so many rows; returns how many.

    Their price has been reserved in that month.
    """
    values = {"first": first, "month": month, **_prices(batch)}
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
    statement, values = _missing(batch)
    return _ask_again(batch, statement, values, by=by, month=month, now=now)


def queue_chosen(batch: Batch, chosen: Sequence[Missing], *, by: Actor, month: date, now: datetime) -> int:
    """A further HIT for each of these rows, for so many answers; returns how many HITs.

    Their price has been reserved in that month.
    """
    values = {
        "rows": [each.row_id for each in chosen],
        "rounds": [each.last_round for each in chosen],
        "sizes": [each.answers for each in chosen],
    }
    return _ask_again(batch, _CHOSEN, values, by=by, month=month, now=now)


def _ask_again(
    batch: Batch, statement: str, values: dict[str, Any], *, by: Actor, month: date, now: datetime
) -> int:
    values = {**values, **_who(by), **_of(batch, now), **_prices(batch), "month": month, "again": AGAIN}
    hits = _commit(_ASK_AGAIN.replace("MISSING", statement), values, LedgerReason.ASKED_AGAIN)
    _execute(_MARK, {"batch": batch.pk, "again": AGAIN, "now": now})
    return hits


def missing_of(batch: Batch, rows: Sequence[int]) -> list[Missing]:
    """What is missing of these rows of the batch, in their order; of each that lacks something."""
    statement, values = _missing(batch, only=True)
    with database.cursor() as cursor:
        cursor.execute(
            f"select row_id, last_round, missing from ({statement}) m where missing > 0 order by row_id",  # noqa: S608
            {**values, "rows": list(rows)},
        )
        return [Missing(*found) for found in cursor.fetchall()]


def _missing(batch: Batch, *, only: bool = False) -> tuple[str, dict[str, Any]]:
    """The statement for what is missing of each row, or only of `rows`, and its values."""
    statement = _MISSING_OF_LINKED if batch.continues_id else _MISSING_OF_FIRST
    own = "and r.id = any(%(rows)s)" if only else ""
    first = (
        "and r.id in (select continues_id from projects_batchrow where id = any(%(rows)s))" if only else ""
    )
    statement = statement.replace("ONLY_FIRST", first).replace("ONLY", own)
    return statement, {"batch": batch.pk, "first_batch": batch.continues_id, "again": AGAIN}


def _prices(batch: Batch) -> dict[str, Any]:
    return {
        "large": LARGE_HIT,
        "large_price": price_each(batch, LARGE_HIT),
        "small_price": price_each(batch, 1),
    }


def price_each(batch: Batch, max_assignments: int) -> Decimal:
    """Reward and fee of one answer to a HIT of so many, in dollars."""
    fee = fee_per_assignment(batch.reward, max_assignments, batch.connection.fee_schedule)
    return batch.reward + fee


def missing_answers(batch: Batch) -> dict[int, int]:
    """So many answers missing → in so many rows."""
    statement, values = _missing(batch)
    with database.cursor() as cursor:
        cursor.execute(
            f"select missing, count(*) from ({statement}) m where missing > 0 group by missing",  # noqa: S608
            values,
        )
        return {int(missing): rows for missing, rows in cursor.fetchall()}


_CONTINUE = f"""
    insert into projects_batchrow (public_id, team_id, batch_id, number, input, continues_id, missing)
    select {UUID7_SQL}, r.team_id, %(new)s, row_number() over (order by r.number), r.input,
        coalesce(r.continues_id, r.id), m.missing
    from (MISSING) m join projects_batchrow r on r.id = m.row_id
    where m.missing > 0 order by r.number
"""  # noqa: S608 - a constant of ours


def continue_rows(batch: Batch, draft: Batch) -> None:
    """Give the draft a row for each row of the batch of which something is missing."""
    statement, values = _missing(batch)
    _execute(_CONTINUE.replace("MISSING", statement), {**values, "new": draft.pk})


def spread(batch: Batch, *, now: datetime) -> None:
    """Let what waits be due from now on at the batch's pace: time that passed while it was paused is not made up for."""
    if batch.rows_per_hour:
        _execute(_SPREAD, _of(batch, now))


def cost_of(batch: Batch, *, first: int | None = None) -> Cost:
    """What a HIT for every row costs, or for the first so many."""
    rows = BatchRow.objects.filter(batch=batch)
    if batch.only_missing:
        return _cost(batch, rows if first is None else rows.filter(number__lte=first))
    return _even_cost(batch, batch.rows_total if first is None else min(first, batch.rows_total))


def cost_of_rest(batch: Batch) -> Cost:
    """What a HIT for every row costs that a trial has left out."""
    rows = BatchRow.objects.filter(batch=batch).exclude(Exists(HIT.objects.filter(row=OuterRef("pk"))))
    return _cost(batch, rows) if batch.only_missing else _even_cost(batch, rows.count())


def _cost(batch: Batch, rows: QuerySet[BatchRow]) -> Cost:
    sizes = rows.order_by().values_list("missing").annotate(rows=Count("pk"))
    return mixed_cost(
        {missing: number for missing, number in sizes if missing},
        reward=batch.reward,
        schedule=batch.connection.fee_schedule,
    )


def _even_cost(batch: Batch, rows: int) -> Cost:
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


def begin(batch: Batch, *, by: Actor) -> Batch:
    """Queue a locked batch's HITs; it is publishing from then on. Raises ActionRefused."""
    cost = cost_of(batch, first=batch.first_rows)
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
    cost = mixed_cost(missing_answers(batch), reward=batch.reward, schedule=batch.connection.fee_schedule)
    return Again(rows=cost.rows, answers=cost.assignments, total=cost.total)


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

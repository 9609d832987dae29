"""What HITs and bonuses cost by now, brought by difference into the budgets, the batch and the ledger.

A slot counts as committed until MTurk says that it is used, or that nobody can use it any more. Nothing falls while a
call is queued or its outcome unknown.
"""

from collections.abc import Iterable, Sequence
from itertools import starmap
from typing import Any

from django.db import connection, transaction

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import User
from mturkhub.common import clock
from mturkhub.intentions.models import OPEN_STATES
from projects.budgets import Change, apply_changes
from projects.entering import ENTER, MARKET
from projects.models import LedgerReason
from projects.states import OperationKind

# Of an answer the ledger itself says what was entered before; whatever else has changed is about places that nobody has
# filled, and is one entry, however many HITs.
_SPEND = f"""
with old as (
    select h.id, h.team_id, h.connection_id, h.batch_id, h.reserved_on, h.committed, h.paid, h.price_each, b.reward,
        h.max_assignments, h.unusable, h.publish_state,
        coalesce(o.added, 0) as added, coalesce(o.reopens, false) as reopens
    from projects_hit h join projects_batch b on b.id = h.batch_id cross join lateral (
        select sum((o.values->>'max_after')::int - (o.values->>'max_before')::int)
                filter (where o.family = %(answers)s) as added,
            bool_or(o.values->>'expire_at' > '') filter (where o.kind = %(expire)s) as reopens
        from intentions_operation o
        where o.target_id = h.id and o.family = any(%(families)s) and o.state = any(%(open)s)
    ) o
    where h.row_id = any(%(rows)s) and h.reserved_on is not null
), answers as (
    select old.id as hit_id, old.team_id, old.connection_id, old.batch_id, old.price_each, old.reward,
        a.id, a.worker_id, a.status, coalesce(a.approved_at >= a.auto_approval_at, false) as is_by_time,
        (a.status = 'Approved')::int as is_paid,
        -- one that is just being overturned costs as if it were undecided
        (a.status = 'Rejected' and a.pending_verdict <> 'approve')::int as is_free,
        entered.paid, entered.freed, entered.was_free
    from old join projects_assignment a on a.hit_id = old.id cross join lateral (
        select coalesce(sum(amount) filter (where kind = 'paid'), 0) as paid,
            coalesce(sum(case kind when 'released' then amount when 'held' then -amount end), 0) as freed,
            coalesce(bool_or(kind = 'released'), false) as was_free
        from projects_ledgerentry where assignment_id = a.id and bonus_id is null
    ) entered
), by_hit as (
    select hit_id, sum(is_paid) as approved, sum(is_free) as rejected,
        sum(price_each * is_paid - paid + price_each * is_free - freed) as entered_now
    from answers group by hit_id
), fresh as (
    select old.*, coalesce(by_hit.entered_now, 0) as entered_now,
        price_each * coalesce(approved, 0) as now_paid,
        price_each * greatest(0, case
            when publish_state in ('failed', 'cancelled') then 0
            else max_assignments + added - case when reopens then 0 else unusable end
                - coalesce(approved, 0) - coalesce(rejected, 0)
        end) as now_committed
    from old left join by_hit on by_hit.hit_id = old.id
), written as (
    update projects_hit h set committed = fresh.now_committed, paid = fresh.now_paid
    from fresh where h.id = fresh.id
        and (fresh.committed, fresh.paid) is distinct from (fresh.now_committed, fresh.now_paid)
), places as (
    select fresh.*, now_committed - committed + entered_now as more from fresh
), changed as (
    select answers.*, price_each * is_free - freed as freed_now, price_each * is_paid - paid as paid_now,
        d.by_id, d.by_rule, d.is_overturn
    from answers left join lateral (
        select d.by_id, d.by_rule, d.is_overturn from projects_decision d
        where d.assignment_id = answers.id and (d.state = 'done' or d.state = any(%(open)s) and is_paid = 0)
            and d.verdict = case is_free when 1 then 'reject' else 'approve' end
        order by d.id desc limit 1
    ) d on true
    where price_each * is_paid <> paid or price_each * is_free <> freed
), entry as (
    {ENTER}
    select team_id, connection_id, batch_id, hit_id, assignment_id, null, worker_id, kind, amount,
        amount / price_each * (price_each - reward), amount / price_each, reason, NOW, by_id,
        case when by_id is null then coalesce(nullif(by_rule, ''), %(market)s) else '' end
    from (
        select 0 as step, team_id, connection_id, batch_id, case count(*) when 1 then min(id) end as hit_id,
            null::bigint as assignment_id, null::bigint as worker_id,
            case when more > 0 then 'held' else 'released' end as kind, sum(abs(more)) as amount, price_each, reward,
            case
                when more > 0 then %(why)s
                when publish_state = 'failed' then 'refused'
                when publish_state = 'cancelled' then 'cancelled'
                when unusable > 0 then 'unused'
                else 'change_refused'
            end as reason,
            %(by)s::bigint as by_id, %(rule)s as by_rule
        from places where more <> 0
        group by team_id, connection_id, batch_id, price_each, reward, kind, reason
        union all
        select 1, team_id, connection_id, batch_id, hit_id, id, worker_id,
            case when freed_now > 0 then 'released' else 'held' end, abs(freed_now), price_each, reward,
            case when freed_now < 0 then 'overturned' when was_free then 'not_overturned' else 'rejected' end,
            case when freed_now > 0 and was_free then %(by)s else by_id end,
            case when freed_now > 0 and was_free then %(rule)s else by_rule end
        from changed where freed_now <> 0
        union all
        select 2, team_id, connection_id, batch_id, hit_id, id, worker_id, 'paid', paid_now, price_each, reward,
            case
                when is_overturn then 'overturned'
                when is_overturn is not null then 'approved'
                when is_by_time then 'approved_by_time'
                else 'decided_elsewhere'
            end,
            by_id, by_rule
        from changed where paid_now <> 0
    ) entries
    order by step, batch_id, assignment_id
)
select batch_id, reserved_on, sum(now_committed - committed), sum(now_paid - paid) from fresh
group by batch_id, reserved_on having sum(abs(now_committed - committed) + abs(now_paid - paid)) > 0
order by batch_id, reserved_on
"""  # noqa: S608 - constants of ours

_OPERATIONS: dict[str, Any] = {
    "answers": OperationKind.ADD_ANSWERS.family,
    "expire": OperationKind.EXPIRE.value,
    "families": sorted({kind.family for kind in OperationKind}),
    "open": OPEN_STATES,
}


def recount_money(row_ids: Sequence[int], *, by: Actor, why: LedgerReason) -> None:
    """Bring the money of these rows' HITs up to date; `projects.counting.recount` calls it, with the batches locked."""
    values = {
        **_OPERATIONS,
        "rows": row_ids,
        "by": by.user.pk if by.user else None,
        "rule": by.rule,
        "why": why.value,
        "market": MARKET.rule,
    }
    _spend(_SPEND, values)


_BONUSES = f"""
with old as (
    select * from projects_bonus where id = any(%(keys)s) and reserved_on is not null order by id for update
), fresh as (
    select old.*, case when state = any(%(open)s) then price else 0 end as now_committed,
        case when state = 'done' then price else 0 end as now_paid
    from old
), written as (
    update projects_bonus b set committed = fresh.now_committed, paid = fresh.now_paid
    from fresh where b.id = fresh.id
), entry as (
    {ENTER}
    select f.team_id, f.connection_id, f.batch_id, a.hit_id, f.assignment_id, f.id, a.worker_id, kind, change,
        sign(change) * (f.price - f.amount), 0, 'bonus', NOW,
        case kind when 'held' then coalesce(%(by)s, f.by_id) when 'paid' then f.by_id end,
        case when kind = 'released' or f.by_id is null and f.by_rule = '' then %(market)s
            when %(by)s is null or kind = 'paid' then f.by_rule else '' end
    from fresh f join projects_assignment a on a.id = f.assignment_id cross join lateral (
        values ('held', now_committed - committed + now_paid - paid),
            ('released', committed - now_committed + paid - now_paid),
            ('paid', now_paid - paid)
    ) entries (kind, change)
    where change > 0 or kind = 'paid' and change < 0
    order by f.id
)
select batch_id, reserved_on, sum(now_committed - committed), sum(now_paid - paid) from fresh
group by batch_id, reserved_on having sum(abs(now_committed - committed) + abs(now_paid - paid)) > 0
order by batch_id, reserved_on
"""  # noqa: S608 - constants of ours


def recount_bonuses(keys: Iterable[int], *, by: User | None = None) -> None:
    """Bring the budgets and the ledger in line with what has become of bonuses; `by` asks for them anew."""
    keys = sorted(set(keys))
    if not keys:
        return
    values = {"keys": keys, "open": OPEN_STATES, "by": by and by.pk, "market": MARKET.rule}
    with transaction.atomic():
        _spend(_BONUSES, values)


def _spend(statement: str, values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement.replace("NOW", clock.now_sql()), values)
        apply_changes(starmap(Change, cursor.fetchall()))

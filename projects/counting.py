"""Counts of a row and of its batch, and what its HITs cost, kept by difference in the transaction that changes what they count.

`recount` is the only writer of RowResult's counts and of Batch's counters.
"""

from collections.abc import Iterable
from itertools import starmap
from typing import Any

from django.db import connection, transaction

from mturkhub.intentions.models import OPEN_STATES
from projects.budgets import Change, apply_changes
from projects.states import OperationKind

_LOCK = "select 1 from projects_rowresult where row_id = any(%s) order by row_id for update"

_RECOUNT = """
with old as (
    select * from projects_rowresult where row_id = any(%(rows)s)
), answers as (
    select old.row_id,
        count(a.id) filter (where a.status = 'Submitted') as submitted,
        count(a.id) filter (where a.status = 'Approved') as approved,
        count(a.id) filter (where a.status = 'Rejected') as rejected,
        max(a.submitted_at) as last_answer_at
    from old left join projects_assignment a on a.row_id = old.row_id
    group by old.row_id
), hits as (
    select h.row_id,
        bool_or(h.publish_state = 'failed') as has_failed,
        count(*) filter (where h.publish_state = 'published') as published,
        coalesce(sum(h.max_assignments) filter (where h.publish_state = 'published'), 0) as wanted,
        bool_and(h.hit_status in ('Reviewable', 'Reviewing', 'Disposed'))
            filter (where h.publish_state = 'published') as is_over
    from projects_hit h where h.row_id = any(%(rows)s)
    group by h.row_id
), fresh as (
    select a.*,
        case
            when h.has_failed then 'failed'
            when coalesce(h.published, 0) = 0 then 'not_published'
            when a.submitted + a.approved + a.rejected = 0 then 'no_answer'
            when a.submitted + a.approved + a.rejected < h.wanted and not h.is_over then 'some_answers'
            when a.submitted > 0 then 'to_review'
            else 'decided'
        end as progress
    from answers a left join hits h on h.row_id = a.row_id
), written as (
    update projects_rowresult r set
        submitted = fresh.submitted, approved = fresh.approved, rejected = fresh.rejected,
        last_answer_at = fresh.last_answer_at, progress = fresh.progress
    from fresh where r.row_id = fresh.row_id
), change as (
    select old.batch_id,
        sum(fresh.submitted - old.submitted) as submitted,
        sum(fresh.approved - old.approved) as approved,
        sum(fresh.rejected - old.rejected) as rejected,
        sum((fresh.progress = 'not_published')::int - (old.progress = 'not_published')::int) as not_published,
        sum((fresh.progress = 'no_answer')::int - (old.progress = 'no_answer')::int) as no_answer,
        sum((fresh.progress = 'some_answers')::int - (old.progress = 'some_answers')::int) as some_answers,
        sum((fresh.progress = 'to_review')::int - (old.progress = 'to_review')::int) as to_review,
        sum((fresh.progress = 'decided')::int - (old.progress = 'decided')::int) as decided,
        sum((fresh.progress = 'failed')::int - (old.progress = 'failed')::int) as failed
    from old join fresh on fresh.row_id = old.row_id
    group by old.batch_id
)
update projects_batch b set
    answers_submitted = b.answers_submitted + change.submitted,
    answers_approved = b.answers_approved + change.approved,
    answers_rejected = b.answers_rejected + change.rejected,
    rows_not_published = b.rows_not_published + change.not_published,
    rows_no_answer = b.rows_no_answer + change.no_answer,
    rows_some_answers = b.rows_some_answers + change.some_answers,
    rows_to_review = b.rows_to_review + change.to_review,
    rows_decided = b.rows_decided + change.decided,
    rows_failed = b.rows_failed + change.failed
from change where b.id = change.batch_id
"""

# A slot counts as committed until MTurk says that it is used, or that nobody can use it any more. Nothing falls while a
# call is queued or its outcome unknown.
_SPEND = """
with old as (
    select h.id, h.batch_id, h.reserved_on, h.committed, h.paid, h.price_each, h.max_assignments, h.unusable,
        h.publish_state, a.approved, a.rejected, coalesce(o.added, 0) as added, coalesce(o.reopens, false) as reopens
    from projects_hit h cross join lateral (
        select count(*) filter (where status = 'Approved') as approved,
            -- one that is just being overturned costs as if it were undecided
            count(*) filter (where status = 'Rejected' and pending_verdict <> 'approve') as rejected
        from projects_assignment where hit_id = h.id
    ) a cross join lateral (
        select sum((o.values->>'max_after')::int - (o.values->>'max_before')::int)
                filter (where o.family = %(answers)s) as added,
            bool_or(o.values->>'expire_at' > '') filter (where o.kind = %(expire)s) as reopens
        from intentions_operation o
        where o.target_id = h.id and o.family = any(%(families)s) and o.state = any(%(open)s)
    ) o
    where h.row_id = any(%(rows)s) and h.reserved_on is not null
), fresh as (
    select old.*,
        price_each * approved as now_paid,
        price_each * greatest(0, case
            when publish_state in ('failed', 'cancelled') then 0
            else max_assignments + added - case when reopens then 0 else unusable end - approved - rejected
        end) as now_committed
    from old
), written as (
    update projects_hit h set committed = fresh.now_committed, paid = fresh.now_paid
    from fresh where h.id = fresh.id
        and (fresh.committed, fresh.paid) is distinct from (fresh.now_committed, fresh.now_paid)
)
select batch_id, reserved_on, sum(now_committed - committed), sum(now_paid - paid) from fresh
group by batch_id, reserved_on having sum(abs(now_committed - committed) + abs(now_paid - paid)) > 0
order by batch_id, reserved_on
"""


def recount(row_ids: Iterable[int]) -> None:
    """Bring the rows' results, their batches' counters and the budgets in line with their HITs and Assignments."""
    rows = sorted(set(row_ids))
    if not rows:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        # Two statements: the second must see what whoever held the lock has committed meanwhile.
        cursor.execute(_LOCK, [rows])
        cursor.execute(_RECOUNT, {"rows": rows})
        cursor.execute(_SPEND, {"rows": rows, **_OPERATIONS})
        apply_changes(starmap(Change, cursor.fetchall()))


_OPERATIONS: dict[str, Any] = {
    "answers": OperationKind.ADD_ANSWERS.family,
    "expire": OperationKind.EXPIRE.value,
    "families": sorted({kind.family for kind in OperationKind}),
    "open": OPEN_STATES,
}

_BONUSES = """
with old as (
    select * from projects_bonus where id = any(%(keys)s) and reserved_on is not null order by id for update
), fresh as (
    select old.*, case when state = any(%(open)s) then price else 0 end as now_committed,
        case when state = 'done' then price else 0 end as now_paid
    from old
), written as (
    update projects_bonus b set committed = fresh.now_committed, paid = fresh.now_paid
    from fresh where b.id = fresh.id
)
select batch_id, reserved_on, sum(now_committed - committed), sum(now_paid - paid) from fresh
group by batch_id, reserved_on having sum(abs(now_committed - committed) + abs(now_paid - paid)) > 0
order by batch_id, reserved_on
"""


def recount_bonuses(keys: Iterable[int]) -> None:
    """Bring the budgets in line with what has become of bonuses."""
    keys = sorted(set(keys))
    if not keys:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_BONUSES, {"keys": keys, "open": OPEN_STATES})
        apply_changes(starmap(Change, cursor.fetchall()))

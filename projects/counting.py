"""Counts of a row and of its batch, kept by difference in the transaction that changes what they count.

`recount` is the only writer of RowResult's counts and of Batch's counters.
"""

from collections.abc import Iterable

from django.db import connection, transaction

from mturkhub.accounts.actors import Actor
from projects.entering import MARKET
from projects.models import Batch, LedgerReason
from projects.spending import recount_money

# The batch, which actions lock first as well: whoever took the rows before it could wait for an action that wants them.
_LOCK = """
select 1 from projects_batch where id in (select batch_id from projects_rowresult where row_id = any(%s))
order by id for no key update
"""

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

_BEGIN = """
    insert into projects_rowresult (
        row_id, team_id, batch_id, number, progress, submitted, approved, rejected
    )
    select id, team_id, batch_id, number, 'not_published', 0, 0, 0 from projects_batchrow
    where batch_id = %s order by number
"""


def begin_counting(batch: Batch) -> int:
    """Give each row of a new batch its result; returns how many rows it has."""
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, [batch.pk])
        return int(cursor.rowcount)


def recount(row_ids: Iterable[int], *, by: Actor = MARKET, why: LedgerReason = LedgerReason.FOUND) -> None:
    """Bring the rows' results, their batches' counters, the budgets and the ledger in line with their HITs and Assignments.

    `by` and `why` are for the ledger: who has moved the places of HITs, and why more are held. Of an answer its
    Decision says it.
    """
    rows = sorted(set(row_ids))
    if not rows:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        # Two statements: the second must see what whoever held the lock has committed meanwhile.
        cursor.execute(_LOCK, [rows])
        cursor.execute(_RECOUNT, {"rows": rows})
        recount_money(rows, by=by, why=why)

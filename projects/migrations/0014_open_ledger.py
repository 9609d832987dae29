from django.db import migrations

# Bonuses from before there were budgets count like any other from now on.
_COUNT_OLD_BONUSES = """
with priced as (
    select x.id,
        x.amount + case c.fee_schedule when 'none' then 0 else greatest(0.01, round(x.amount * 0.20, 2)) end as price,
        (date_trunc('month', x.due_at at time zone t.time_zone))::date as month
    from projects_bonus x
    join accounts_connection c on c.id = x.connection_id
    join accounts_team t on t.id = x.team_id
    where x.reserved_on is null
), counted as (
    update projects_bonus x set
        price = priced.price,
        reserved_on = priced.month,
        paid = case when x.state = 'done' then priced.price else 0 end,
        committed = case when x.state in ('waiting', 'queued', 'sending', 'unknown') then priced.price else 0 end
    from priced where x.id = priced.id
    returning x.batch_id, x.reserved_on, x.committed, x.paid
), batches as (
    update projects_batch b set committed = b.committed + sums.committed, paid = b.paid + sums.paid
    from (select batch_id, sum(committed) as committed, sum(paid) as paid from counted group by batch_id) sums
    where b.id = sums.batch_id
)
update projects_budgetspend s set committed = s.committed + sums.committed, paid = s.paid + sums.paid
from (
    select spend.id, sum(counted.committed) as committed, sum(counted.paid) as paid
    from counted join projects_batch b on b.id = counted.batch_id
    join projects_budget g on g.team_id = b.team_id and (
        g.scope = 'team' or g.person_id = b.published_by_id or g.project_id = b.project_id or g.batch_id = b.id
    )
    join projects_budgetspend spend on spend.budget_id = g.id
        and spend.begins_on = case g.period when 'month' then counted.reserved_on else '1970-01-01'::date end
    group by spend.id
) sums where s.id = sums.id
"""

# The ledger of what was published before it was kept: of each batch what was held in all, then what became of it.
_OPEN = """
with hits as (
    select h.id, h.team_id, h.connection_id, h.batch_id, h.committed, h.price_each, b.reward, b.published_at,
        b.published_by_id
    from projects_hit h join projects_batch b on b.id = h.batch_id
    where h.reserved_on is not null and h.price_each > 0
), answers as (
    select hits.*, a.id as assignment_id, a.worker_id, a.status, d.by_id, d.by_rule, d.is_overturn,
        case a.status when 'Approved' then a.approved_at else a.rejected_at end as decided_at,
        a.submitted_at, coalesce(a.approved_at >= a.auto_approval_at, false) as is_by_time
    from hits join projects_assignment a on a.hit_id = hits.id left join lateral (
        select d.by_id, d.by_rule, d.is_overturn from projects_decision d
        where d.assignment_id = a.id and d.state = 'done'
            and d.verdict = case a.status when 'Approved' then 'approve' else 'reject' end
        order by d.id desc limit 1
    ) d on true
    where a.status = 'Approved' or a.status = 'Rejected' and a.pending_verdict <> 'approve'
), used as (
    select id, count(*) as number from answers group by id
), bonuses as (
    select x.*, a.hit_id, a.worker_id from projects_bonus x join projects_assignment a on a.id = x.assignment_id
    where x.committed + x.paid > 0
)
insert into projects_ledgerentry (
    team_id, connection_id, batch_id, hit_id, assignment_id, bonus_id, worker_id, kind, amount, fee, answers, reason,
    at, by_id, by_rule
)
select team_id, connection_id, batch_id, hit_id, assignment_id, bonus_id, worker_id, kind, amount, fee, answers,
    reason, coalesce(at, clock_timestamp()), by_id,
    case when by_id is null then coalesce(nullif(by_rule, ''), 'what the market says') else '' end
from (
    select 0 as step, team_id, connection_id, batch_id, null::bigint as hit_id, null::bigint as assignment_id,
        null::bigint as bonus_id, null::bigint as worker_id, 'held' as kind,
        sum(held) as amount, sum(held / price_each * (price_each - reward)) as fee,
        sum(held / price_each)::int as answers, 'published' as reason, published_at as at, published_by_id as by_id,
        '' as by_rule
    from (
        select hits.*, hits.committed + hits.price_each * coalesce(used.number, 0) as held
        from hits left join used on used.id = hits.id
    ) whole
    group by team_id, connection_id, batch_id, published_at, published_by_id having sum(held) > 0
    union all
    select 1, team_id, connection_id, batch_id, id, assignment_id, null, worker_id,
        case status when 'Approved' then 'paid' else 'released' end, price_each, price_each - reward, 1,
        case
            when status = 'Rejected' then 'rejected'
            when is_overturn then 'overturned'
            when is_overturn is not null then 'approved'
            when is_by_time then 'approved_by_time'
            else 'decided_elsewhere'
        end,
        coalesce(decided_at, submitted_at), by_id, by_rule
    from answers
    union all
    select 2, team_id, connection_id, batch_id, hit_id, assignment_id, id, worker_id, 'held', committed + paid,
        price - amount, 0, 'bonus', created_at, by_id, by_rule
    from bonuses
    union all
    select 3, team_id, connection_id, batch_id, hit_id, assignment_id, id, worker_id, 'paid', paid, price - amount, 0,
        'bonus', coalesce(last_sent_at, created_at), by_id, by_rule
    from bonuses where paid > 0
) entries
order by at, step
"""


class Migration(migrations.Migration):
    dependencies = [("projects", "0013_ledger")]

    operations = [
        migrations.RunSQL(_COUNT_OLD_BONUSES, migrations.RunSQL.noop),
        migrations.RunSQL(_OPEN, migrations.RunSQL.noop),
    ]

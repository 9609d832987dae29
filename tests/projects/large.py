"""A published batch of any size, written by Postgres itself in seconds."""

from typing import Any

from django.db import connection as database

from projects.models import Batch, HITType

# Two answers a row. Of a hundred rows 3 have failed, 7 have no answer, 20 wait, 5 have some, the rest is decided.
_STATEMENTS = [
    """
    insert into projects_batchrow (public_id, team_id, batch_id, number, input)
    select gen_random_uuid(), %(team)s, %(batch)s, n, jsonb_build_object('text', 'sentence number ' || n)
    from generate_series(1, %(rows)s) n
    """,
    """
    insert into projects_rowresult
        (row_id, team_id, batch_id, number, progress, submitted, approved, rejected, last_answer_at)
    select id, team_id, batch_id, number,
        case when number %% 100 < 3 then 'failed' when number %% 100 < 10 then 'no_answer'
            when number %% 100 < 30 then 'to_review' when number %% 100 < 35 then 'some_answers'
            else 'decided' end,
        case when number %% 100 between 10 and 29 then 2 when number %% 100 between 30 and 34 then 1 else 0 end,
        case when number %% 100 >= 40 then 2 else 0 end,
        case when number %% 100 between 35 and 39 then 2 else 0 end,
        case when number %% 100 >= 10 then %(noon)s::timestamptz + number * interval '1 second' end
    from projects_batchrow where batch_id = %(batch)s
    """,
    """
    insert into projects_hit (
        public_id, token, team_id, connection_id, batch_id, row_id, "group", round, max_assignments, hit_type_id,
        publish_state, mturk_id, hit_status, listed_status, refetches_left, sweeps_without,
        due_at, attempts, outcome, by_rule, reason, expires_at, price_each
    )
    select gen_random_uuid(), gen_random_uuid(), team_id, %(connection)s, batch_id, id, 0, 0, 2, %(hit_type)s,
        case when number %% 100 < 3 then 'failed' else 'published' end,
        case when number %% 100 < 3 then null else '3HIT' || %(batch)s || 'X' || number end,
        case when number %% 100 < 3 then '' when number %% 100 < 10 then 'Assignable' else 'Reviewable' end,
        '', 0, 0, %(noon)s, 1, case when number %% 100 < 3 then 'The question is too large.' else '' end, '', '',
        %(noon)s::timestamptz + interval '7 days', 0.06
    from projects_batchrow where batch_id = %(batch)s
    """,
    """
    insert into workers_worker (connection_id, mturk_id, created_at)
    select %(connection)s, 'A' || %(batch)s || 'X' || n, %(noon)s from generate_series(1, %(rows)s / 10 + 3) n
    """,
    """
    insert into workers_teamworker (team_id, worker_id, pseudonym, created_at)
    select %(team)s, id, 'W-' || id, %(noon)s from workers_worker
    where connection_id = %(connection)s and mturk_id like 'A' || %(batch)s || 'X%%'
    """,
    """
    insert into projects_assignment (
        public_id, team_id, connection_id, batch_id, row_id, hit_id, worker_id, mturk_id, status,
        pending_verdict, accepted_at, submitted_at, auto_approval_at, feedback, work_time,
        left_out_at, left_out_reason, collected_at
    )
    select gen_random_uuid(), h.team_id, h.connection_id, h.batch_id, h.row_id, h.id,
        %(worker)s + (r.number * 7 + n * 3) %% (%(rows)s / 10 + 3),
        '3A' || %(batch)s || 'X' || r.number || 'X' || n,
        case when r.number %% 100 < 35 then 'Submitted' when r.number %% 100 < 40 then 'Rejected' else 'Approved' end,
        case when r.number <= 100 and r.number between 10 and 12 then 'approve' else '' end,
        at - interval '50 seconds', at, at + interval '3 days', '',
        interval '1 second' * (10 + (r.number * 7919 + n * 31) %% 600),
        case when (r.number + n) %% 100 = 50 then at end, '', at
    from projects_hit h join projects_batchrow r on r.id = h.row_id
        cross join generate_series(1, 2) n
        cross join lateral (select %(noon)s::timestamptz + r.number * interval '1 second' as at) times
    where h.batch_id = %(batch)s and r.number %% 100 >= 10 and (r.number %% 100 not between 30 and 34 or n = 1)
    """,
    """
    insert into projects_assignmentanswer (assignment_id, raw_xml, fields, is_damaged)
    select id, '', jsonb_build_object('sentiment', jsonb_build_array((id %% 9)::text)), false
    from projects_assignment where batch_id = %(batch)s
    """,
    """
    insert into accounts_event (team_id, at, by_rule, verb, target_type, target_id, target_label, details)
    select team_id, submitted_at, 'large', 'assignment.approved', 'projects.assignment', id, '',
        jsonb_build_object('batch', batch_id)
    from projects_assignment where batch_id = %(batch)s and status = 'Approved' and id %% 3 = 0
    """,
    """
    insert into projects_ledgerentry (
        team_id, connection_id, batch_id, hit_id, assignment_id, worker_id, kind, amount, fee, answers, reason, at,
        by_rule
    )
    select team_id, connection_id, batch_id, hit_id, id, worker_id, 'paid', 0.06, 0.01, 1, 'approved',
        submitted_at, 'large'
    from projects_assignment where batch_id = %(batch)s and status = 'Approved'
    """,
    """
    update projects_batch set rows_total = %(rows)s, answer_fields = '["sentiment"]',
        rows_not_published = 0, rows_no_answer = found.no_answer, rows_some_answers = found.some_answers,
        rows_to_review = found.to_review, rows_decided = found.decided, rows_failed = found.failed,
        answers_submitted = found.submitted, answers_approved = found.approved, answers_rejected = found.rejected
    from (
        select count(*) filter (where progress = 'no_answer') as no_answer,
            count(*) filter (where progress = 'some_answers') as some_answers,
            count(*) filter (where progress = 'to_review') as to_review,
            count(*) filter (where progress = 'decided') as decided,
            count(*) filter (where progress = 'failed') as failed,
            sum(submitted) as submitted, sum(approved) as approved, sum(rejected) as rejected
        from projects_rowresult where batch_id = %(batch)s
    ) found
    where id = %(batch)s
    """,
]
_TABLES = (
    "projects_batchrow, projects_rowresult, projects_hit, projects_assignment, projects_assignmentanswer, "
)
_TABLES += "workers_worker, workers_teamworker, accounts_event, projects_ledgerentry, projects_batch"


def fill(batch: Batch, rows: int, *, hit_type: HITType) -> None:
    """Give a published batch so many rows in the states a batch has that is half reviewed."""
    told = {
        "team": batch.team_id,
        "batch": batch.pk,
        "connection": batch.connection_id,
        "hit_type": hit_type.pk,
        "rows": rows,
        "noon": "2026-11-24 12:00+00",
    }
    with database.cursor() as cursor:
        # Everything refers to what is there; checking that would take longer than writing it.
        is_superuser = _is_superuser(cursor)
        if is_superuser:
            cursor.execute("set local session_replication_role = replica")
        for statement in _STATEMENTS:
            if "%(worker)s" in statement:
                cursor.execute(
                    "select min(id) from workers_worker where mturk_id like %s", [f"A{batch.pk}X%"]
                )
                told["worker"] = cursor.fetchone()[0]
            cursor.execute(statement, told)
        if is_superuser:
            cursor.execute("set local session_replication_role = origin")
        cursor.execute(f"analyze {_TABLES}")


def _is_superuser(cursor: Any) -> bool:
    cursor.execute("select rolsuper from pg_roles where rolname = current_user")
    return bool(cursor.fetchone()[0])

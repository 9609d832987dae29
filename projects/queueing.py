"""Rows of a batch become HITs that wait to be created, by INSERT … SELECT however many they are."""

from datetime import datetime
from typing import Any

from django.db import connection as database
from django.db.models import QuerySet

from mturkhub.accounts.actors import Actor
from mturkhub.common.public_ids import UUID7_SQL
from projects.models import HIT, Batch

_COLUMNS = """
    insert into projects_hit (
        public_id, token, team_id, connection_id, batch_id, row_id, "group", round, max_assignments,
        publish_state, hit_status, listed_status, refetches_left, sweeps_without, bonuses_unread,
        due_at, attempts, outcome, by_id, by_rule, reason
    )
"""
_FIRST_ROUND = f"""
    {_COLUMNS}
    select {UUID7_SQL}, gen_random_uuid(), team_id, %(connection)s, batch_id, id, 0, 0, %(answers)s,
        'queued', '', '', 0, 0, false,
        %(now)s, 0, '', %(by)s, %(rule)s, ''
    from projects_batchrow where batch_id = %(batch)s order by number
"""  # noqa: S608 - a constant of ours
_NEXT_ROUND = f"""
    {_COLUMNS}
    select {UUID7_SQL}, gen_random_uuid(), h.team_id, h.connection_id, h.batch_id, h.row_id, h."group",
        (select max(round) + 1 from projects_hit o where o.row_id = h.row_id and o."group" = h."group"),
        %s, 'queued', '', '', 0, 0, false,
        %s, 0, '', %s, %s, ''
    from projects_hit h where h.id in (CHOSEN) order by h.id
"""  # noqa: S608 - a constant of ours


def queue_first_round(batch: Batch, *, by: Actor, now: datetime) -> int:
    """A HIT for every row of the batch; returns how many."""
    return _execute(
        _FIRST_ROUND,
        {
            "connection": batch.connection_id,
            "answers": batch.max_assignments,
            "now": now,
            "by": by.user.pk if by.user else None,
            "rule": by.rule,
            "batch": batch.pk,
        },
    )


def queue_further_hits(hits: QuerySet[HIT], *, answers: int, by: Actor, now: datetime) -> int:
    """A further HIT, in the next round, for the row of each of these; returns how many."""
    chosen, parameters = hits.order_by("pk").values("pk").query.sql_with_params()
    who = [by.user.pk if by.user else None, by.rule]
    return _execute(_NEXT_ROUND.replace("CHOSEN", chosen), [answers, now, *who, *parameters])


def _execute(sql: str, parameters: Any) -> int:
    with database.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)

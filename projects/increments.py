"""What is new in a batch since it was last taken away: every answer once, none passed over."""

from collections.abc import Iterator
from datetime import datetime

from django.db import connection

from mturkhub.accounts.actors import Actor
from projects.exporting import Chosen
from projects.models import Assignment, Batch, Export

# Whoever begins later stores its answers with a later time. A dump may take long and adds nothing.
_SETTLED = """
select least(clock_timestamp(), (
    select min(xact_start) from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
        and application_name <> 'pg_dump'
))
"""


def settled_until() -> datetime:
    """Up to when, by the database's clock, no transaction is under way that may yet add an answer.

    An answer carries the time at which its transaction began, so what was collected before this moment can be seen by
    every query from now on. Ask for it before the answers, outside a transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SETTLED)
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


def last_export(batch: Batch, by: Actor) -> Export | None:
    """The person's last download of the batch that reached its end."""
    return Export.objects.filter(batch=batch, by=by.user).order_by("-pk").first() if by.user else None


def count_new(batch: Batch, last: Export, *, most: int) -> int:
    """How many answers have been collected since that download, with those left out, counted up to `most`."""
    chosen = Chosen(with_left_out=True, since=last.until, continued=last.continued)
    answers = chosen.filter(Assignment.objects.filter(batch__in=chosen.batches(batch)))
    return len(answers.order_by().values("pk")[:most])


def remembered(lines: Iterator[bytes], batch: Batch, *, by: Actor, chosen: Chosen) -> Iterator[bytes]:
    """The same lines, one an answer; once the last has been fetched, the next download can begin where this ended."""
    answers = 0
    for line in lines:
        yield line
        answers += 1
    if by.user and chosen.until:
        Export.objects.create(
            team_id=batch.team_id,
            batch=batch,
            by=by.user,
            since=chosen.since,
            until=chosen.until,
            answers=answers,
            continued=chosen.continued,
        )

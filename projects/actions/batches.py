"""What a person can ask of a batch: publish, pause, resume, try failed rows again, collect now."""

from collections.abc import Sequence
from decimal import Decimal

from django.db import connection as database
from django.db import transaction
from django.db.models import F, Sum

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules.connections import balance_seen, check_can_use
from mturkhub.common import clock
from mturkhub.common.public_ids import UUID7_SQL
from mturkhub.intentions.claiming import ring
from mturkhub.intentions.models import IntentionState
from projects import budgets, rules, tasks
from projects.costs import batch_cost
from projects.counting import recount
from projects.models import HIT, Batch
from projects.states import BatchState

_QUEUE_HITS = f"""
    insert into projects_hit (
        public_id, token, team_id, connection_id, batch_id, row_id, "group", round, max_assignments,
        publish_state, hit_status, listed_status, refetches_left, sweeps_without,
        due_at, attempts, outcome, by_id, by_rule, reason, price_each, committed, paid, reserved_on
    )
    select {UUID7_SQL}, gen_random_uuid(), team_id, %(connection)s, batch_id, id, 0, 0, %(answers)s,
        'queued', '', '', 0, 0,
        %(now)s, 0, '', %(by)s, %(rule)s, '', %(price)s, %(price)s * %(answers)s, 0, %(month)s
    from projects_batchrow where batch_id = %(batch)s order by number
"""  # noqa: S608 - a constant of ours


def publish_batch(batch: Batch, *, by: Actor) -> Batch:
    """Queue a HIT for every row of a draft; MTurk hears of it after commit."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = _locked(batch)
        rules.check_can_publish(batch)
        check_can_use(batch.connection, batch.team_id)
        cost = batch_cost(
            rows=batch.rows_total,
            reward=batch.reward,
            max_assignments=batch.max_assignments,
            schedule=batch.connection.fee_schedule,
        )
        rules.check_balance_covers(
            batch.connection.balance, cost.total, seen=balance_seen(batch.connection, batch.team_id)
        )
        now = clock.now()
        publisher = by.user or batch.created_by
        month = budgets.reserve(batch, cost.total, publisher_id=publisher.pk, now=now)
        with database.cursor() as cursor:
            cursor.execute(
                _QUEUE_HITS,
                {
                    "price": batch.reward + cost.fee_each,
                    "month": month,
                    "connection": batch.connection_id,
                    "answers": batch.max_assignments,
                    "now": now,
                    "by": by.user.pk if by.user else None,
                    "rule": by.rule,
                    "batch": batch.pk,
                },
            )
        batch.state = BatchState.PUBLISHING
        batch.published_at, batch.published_by = now, publisher
        batch.save(update_fields=["state", "published_at", "published_by"])
        record(by, "batch.published", batch, team_id=batch.team_id, rows=cost.rows, total=str(cost.total))
        ring(tasks.publish_batch, batch.pk)
    return batch


def pause_batch(batch: Batch, *, by: Actor) -> Batch:
    """Create nothing more of this batch until it is resumed; live HITs go on."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = _locked(batch)
        rules.check_can_pause(batch)
        batch.state, batch.state_reason = BatchState.PAUSED, f"Paused by {by}."
        batch.save(update_fields=["state", "state_reason"])
        record(by, "batch.paused", batch, team_id=batch.team_id)
    return batch


def resume_batch(batch: Batch, *, by: Actor) -> Batch:
    """Go on creating where it was paused."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = _locked(batch)
        rules.check_can_resume(batch)
        check_can_use(batch.connection, batch.team_id)
        batch.state, batch.state_reason = BatchState.PUBLISHING, ""
        batch.save(update_fields=["state", "state_reason"])
        record(by, "batch.resumed", batch, team_id=batch.team_id)
        ring(tasks.publish_batch, batch.pk)
    return batch


def retry_failed_hits(batch: Batch, *, by: Actor, rows: Sequence[int] | None = None) -> Batch:
    """Queue failed HITs again, all of them or those of the rows with these numbers; the token stays the same."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = _locked(batch)
        rules.check_can_retry(batch)
        check_can_use(batch.connection, batch.team_id)
        failed = HIT.objects.failed().filter(batch=batch)
        if rows is not None:
            failed = failed.filter(row__number__in=rows)
        again = dict(failed.select_for_update().order_by("pk").values_list("pk", "row_id"))
        now, price = clock.now(), F("price_each") * F("max_assignments")
        hits = HIT.objects.filter(pk__in=again)
        total = hits.aggregate(total=Sum(price))["total"] or Decimal(0)
        month = budgets.reserve(batch, total, publisher_id=batch.published_by_id, now=now)
        hits.update(
            publish_state=IntentionState.QUEUED,
            due_at=now,
            attempts=0,
            outcome="",
            lease_until=None,
            committed=price,
            reserved_on=month,
        )
        recount(again.values())
        if batch.state == BatchState.LIVE:
            batch.state = BatchState.PUBLISHING
            batch.save(update_fields=["state"])
        record(by, "batch.retried", batch, team_id=batch.team_id, hits=len(again))
        ring(tasks.publish_batch, batch.pk)
    batch.refresh_from_db()
    return batch


def collect_now(batch: Batch, *, by: Actor) -> Batch:
    """Sweep the batch's Connection at once instead of at the next time."""
    check_can(by, Permission.BATCH_COLLECT, batch.team_id)
    with transaction.atomic():
        Connection.objects.filter(pk=batch.connection_id).update(sweep_wanted_at=clock.now())
        record(by, "batch.collected", batch, team_id=batch.team_id)
        ring(tasks.collect_connection, batch.connection_id)
    batch.connection.refresh_from_db()
    return batch


def _locked(batch: Batch) -> Batch:
    return (
        Batch.objects.select_for_update(no_key=True, of=("self",))
        .select_related("connection", "project", "team")
        .get(pk=batch.pk)
    )

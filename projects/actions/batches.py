"""What a person can ask of a batch: publish, pause, resume, cancel, close, try failed rows again, collect now."""

from collections.abc import Sequence

from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules.connections import balance_seen, check_can_use
from mturkhub.common import clock
from mturkhub.intentions.claiming import ring
from mturkhub.intentions.models import IntentionState
from projects import rules, tasks
from projects.costs import batch_cost
from projects.counting import recount
from projects.ending import end
from projects.models import HIT, Batch
from projects.queueing import queue_first_round
from projects.states import BatchState


def publish_batch(batch: Batch, *, by: Actor) -> Batch:
    """Queue a HIT for every row of a draft; MTurk hears of it after commit."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
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
        queue_first_round(batch, by=by, now=now)
        batch.state = BatchState.PUBLISHING
        batch.published_at, batch.published_by = now, by.user or batch.created_by
        batch.save(update_fields=["state", "published_at", "published_by"])
        record(by, "batch.published", batch, team_id=batch.team_id, rows=cost.rows, total=str(cost.total))
        ring(tasks.publish_batch, batch.pk)
    return batch


def pause_batch(batch: Batch, *, by: Actor) -> Batch:
    """Create nothing more of this batch until it is resumed; live HITs go on."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        rules.check_can_pause(batch)
        batch.state, batch.state_reason = BatchState.PAUSED, f"Paused by {by}."
        batch.save(update_fields=["state", "state_reason"])
        record(by, "batch.paused", batch, team_id=batch.team_id)
    return batch


def resume_batch(batch: Batch, *, by: Actor) -> Batch:
    """Go on creating where it was paused."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        rules.check_can_resume(batch)
        check_can_use(batch.connection, batch.team_id)
        batch.state, batch.state_reason = BatchState.PUBLISHING, ""
        batch.save(update_fields=["state", "state_reason"])
        record(by, "batch.resumed", batch, team_id=batch.team_id)
        ring(tasks.publish_batch, batch.pk)
    return batch


def cancel_batch(batch: Batch, *, by: Actor) -> Batch:
    """Create nothing more, ever: what waits is cancelled, live HITs expire, answers stay to be reviewed.

    What may have reached MTurk is looked up, and expires if it is found there.
    """
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        rules.check_can_cancel(batch)
        waiting = HIT.objects.filter(batch=batch, publish_state=IntentionState.QUEUED)
        sent_before = waiting.filter(first_sent_at__isnull=False)
        sent_before.update(
            publish_state=IntentionState.UNKNOWN,
            lease_until=None,
            sweeps_without=0,
            outcome="Cancelled after it may have been sent; looking for it at MTurk.",
        )
        hits = waiting.update(
            publish_state=IntentionState.CANCELLED, lease_until=None, outcome=f"Cancelled by {by}."
        )
        batch.state, batch.state_reason, batch.ended_at = BatchState.CANCELLED, f"Cancelled by {by}.", None
        batch.save(update_fields=["state", "state_reason", "ended_at"])
        record(by, "batch.cancelled", batch, team_id=batch.team_id, waiting=hits)
        end(batch)
        ring(tasks.send_due_operations, batch.connection_id)
    batch.refresh_from_db()
    return batch


def close_batch(batch: Batch, *, by: Actor, delete: bool = False, give_up_overturning: bool = False) -> Batch:
    """Expire the batch's HITs and wait until every answer is here and decided; the data is kept.

    With `delete` its HITs are then deleted at MTurk, each when none of its rejections can be overturned any more;
    `give_up_overturning` does not wait for that.
    """
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    if give_up_overturning:
        check_can(by, Permission.OVERTURNING_GIVE_UP, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        rules.check_can_close(batch)
        batch.state, batch.state_reason, batch.ended_at = BatchState.CLOSING, "", None
        batch.deletes_hits, batch.deletes_rejected = delete, delete and give_up_overturning
        batch.save(update_fields=["state", "state_reason", "ended_at", "deletes_hits", "deletes_rejected"])
        record(
            by,
            "batch.closing",
            batch,
            team_id=batch.team_id,
            at_the_market="its HITs are deleted there" if delete else "its HITs are kept there",
        )
        end(batch)
        ring(tasks.send_due_operations, batch.connection_id)
    batch.refresh_from_db()
    return batch


def retry_failed_hits(batch: Batch, *, by: Actor, rows: Sequence[int] | None = None) -> Batch:
    """Queue failed HITs again, all of them or those of the rows with these numbers; the token stays the same."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        rules.check_can_retry(batch)
        check_can_use(batch.connection, batch.team_id)
        failed = HIT.objects.failed().filter(batch=batch)
        if rows is not None:
            failed = failed.filter(row__number__in=rows)
        again = dict(failed.select_for_update().order_by("pk").values_list("pk", "row_id"))
        HIT.objects.filter(pk__in=again).update(
            publish_state=IntentionState.QUEUED, due_at=clock.now(), attempts=0, outcome="", lease_until=None
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


def locked(batch: Batch) -> Batch:
    return (
        Batch.objects.select_for_update(no_key=True, of=("self",))
        .select_related("connection", "project")
        .get(pk=batch.pk)
    )

"""What a person can ask of a batch: publish, pause, resume, cancel, close, try failed rows again, collect now."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Sum

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules.connections import check_can_use
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.intentions.claiming import ring
from mturkhub.intentions.models import IntentionState
from projects import budgets, rules, tasks
from projects.chains import lock_first
from projects.counting import recount
from projects.ending import end
from projects.models import HIT, Batch, LedgerReason
from projects.queueing import (
    Again,
    begin,
    check_covered,
    cost_of,
    cost_of_rest,
    plan_again,
    queue_missing,
    queue_rows,
    spread,
)
from projects.states import BatchState


def publish_batch(
    batch: Batch,
    *,
    by: Actor,
    first_rows: int | None = None,
    rows_per_hour: int | None = None,
    at: datetime | None = None,
    max_cost: Decimal | None = None,
) -> Batch:
    """Queue a HIT for every row of a draft, or for the first so many as a trial; MTurk hears of it after commit.

    With a pace, so many are created an hour; with a time that is to come it begins then. Refused if it costs more
    than `max_cost` dollars.
    """
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        rules.check_can_publish(batch)
        rules.check_publishing(batch, first_rows=first_rows, rows_per_hour=rows_per_hour)
        batch.first_rows, batch.rows_per_hour, batch.state_reason = first_rows, rows_per_hour, ""
        cost = cost_of(batch, first=first_rows)
        rules.check_max_cost(cost.total, max_cost)
        check_covered(batch, cost.total)
        if at is not None and at > clock.now():
            batch.state, batch.publish_at, batch.scheduled_by = BatchState.SCHEDULED, at, by.somebody
            record(
                by,
                "batch.scheduled",
                batch,
                team_id=batch.team_id,
                rows=cost.rows,
                total=str(cost.total),
                at=f"{at:%Y-%m-%d %H:%M UTC}",
            )
        else:
            begin(batch, by=by)
            ring(tasks.publish_batch, batch.pk)
        batch.save(
            update_fields=[
                *("state", "state_reason", "first_rows", "rows_per_hour", "publish_at", "scheduled_by"),
                *("published_at", "published_by"),
            ]
        )
    return batch


def unschedule_batch(batch: Batch, *, by: Actor) -> Batch:
    """Make a scheduled batch a draft again."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        if batch.state != BatchState.SCHEDULED:
            raise ActionRefused(f"“{batch}” is {batch.state}, not scheduled.")
        batch.state, batch.publish_at, batch.scheduled_by = BatchState.DRAFT, None, None
        batch.save(update_fields=["state", "publish_at", "scheduled_by"])
        record(by, "batch.unscheduled", batch, team_id=batch.team_id)
    return batch


def publish_rest(batch: Batch, *, by: Actor, max_cost: Decimal | None = None) -> Batch:
    """After a trial: queue a HIT for every row that has none."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        rules.check_can_publish_rest(batch)
        cost = cost_of_rest(batch)
        rules.check_max_cost(cost.total, max_cost)
        check_covered(batch, cost.total)
        now = clock.now()
        month = budgets.reserve(batch, cost.total, publisher_id=batch.published_by_id, now=now)
        queue_rows(batch, by=by, month=month, now=now)
        _publishing_again(batch)
        record(
            by, "batch.rest_published", batch, team_id=batch.team_id, rows=cost.rows, total=str(cost.total)
        )
    return batch


def republish(batch: Batch, *, by: Actor, max_cost: Decimal | None = None) -> Again:
    """Ask again for answers that did not come before their HIT was over, or were rejected; in a further round of the
    same rows, each HIT for exactly what is missing. Returns what was done."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        lock_first(batch)
        batch = locked(batch)
        rules.check_can_republish(batch)
        plan = plan_again(batch)
        if not plan.rows:
            raise ActionRefused(nothing_missing(batch))
        rules.check_max_cost(plan.total, max_cost)
        check_covered(batch, plan.total)
        now = clock.now()
        month = budgets.reserve(batch, plan.total, publisher_id=batch.published_by_id, now=now)
        queue_missing(batch, by=by, month=month, now=now)
        _publishing_again(batch)
        record(
            by,
            "batch.republished",
            batch,
            team_id=batch.team_id,
            more=plan.answers,
            extended=plan.rows,
            total=str(plan.total),
        )
    return plan


def nothing_missing(batch: Batch) -> str:
    """Why there is nothing to ask for again, in a sentence."""
    linked = Batch.objects.filter(continues=batch.continues_id or batch).exclude(pk=batch.pk)
    names = [f"“{each}”" for each in linked.exclude(state=BatchState.CANCELLED).order_by("-pk")[:3]]
    asked = f", or is asked for in {', '.join(names)}" if names else ""
    return f"No answer of “{batch}” is missing: each is here, or may still come{asked}."


def _publishing_again(batch: Batch) -> None:
    batch.state = BatchState.PUBLISHING
    batch.save(update_fields=["state"])
    ring(tasks.publish_batch, batch.pk)


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
        spread(batch, now=clock.now())
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
        budgets.release(waiting, by=by)
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
        now, price = clock.now(), F("price_each") * F("max_assignments")
        hits = HIT.objects.filter(pk__in=again)
        total = hits.aggregate(total=Sum(price))["total"] or Decimal(0)
        month = budgets.month_of(batch.team, now)
        budgets.begin_month(batch, publisher_id=batch.published_by_id, month=month)
        hits.update(
            publish_state=IntentionState.QUEUED,
            due_at=now,
            attempts=0,
            outcome="",
            lease_until=None,
            reserved_on=month,
        )
        recount(again.values(), by=by, why=LedgerReason.TRIED_AGAIN)
        budgets.check_room(batch, total, months=[month])
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
        .select_related("connection", "project", "team")
        .get(pk=batch.pk)
    )

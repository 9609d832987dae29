"""Whether a batch asks again for rejected answers by itself, and what that may cost."""

from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.common.errors import ActionRefused
from projects import rules
from projects.actions.batches import locked
from projects.models import Batch
from projects.queueing import price_each
from projects.requeueing import cost_of_rows, rejected_rows


@dataclass(frozen=True)
class RequeuePlan:
    """What switching it on means, in dollars with the fee.

    `each` is the price of one answer and `whole` that of as many as may be asked for; `now` answers are rejected
    already and asked for at once, as far as the cap goes, for `now_total`.
    """

    each: Decimal
    most: int
    limit: Decimal
    whole: Decimal
    now: int
    now_total: Decimal


def plan_requeue(batch: Batch, *, by: Actor, most: int, limit: Decimal) -> RequeuePlan:
    """The dry run of `set_requeue`."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    rules.check_can_requeue(batch)
    each = price_each(batch, 1)
    rules.check_requeue(batch, most=most, limit=limit, each=each)
    rows = rejected_rows(batch)
    return RequeuePlan(
        each=each,
        most=most,
        limit=limit,
        whole=min(limit, each * most),
        now=sum(row.answers for row in rows),
        now_total=cost_of_rows(batch, rows),
    )


def set_requeue(batch: Batch, *, by: Actor, most: int, limit: Decimal) -> Batch:
    """Have rejected answers asked for again, at most so many for so many dollars over the life of the batch."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        rules.check_can_requeue(batch)
        rules.check_requeue(batch, most=most, limit=limit, each=price_each(batch, 1))
        batch.requeue_most, batch.requeue_limit, batch.requeue_stopped = most, limit, ""
        batch.save(update_fields=["requeue_most", "requeue_limit", "requeue_stopped"])
        record(by, "batch.requeue_set", batch, team_id=batch.team_id, answers=most, limit=str(limit))
    return batch


def stop_requeue(batch: Batch, *, by: Actor) -> Batch:
    """Ask for nothing more by itself; what was asked for stays."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        if batch.requeue_most is None:
            raise ActionRefused(f"“{batch}” does not ask again for rejected answers by itself.")
        batch.requeue_most, batch.requeue_limit, batch.requeue_stopped = None, None, ""
        batch.save(update_fields=["requeue_most", "requeue_limit", "requeue_stopped"])
        record(by, "batch.requeue_off", batch, team_id=batch.team_id)
    return batch

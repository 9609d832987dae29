"""Asks again for rejected answers by itself where a batch wants that, up to the answers and dollars it may cost.

An answer is asked for again once: which HIT does it stands on the Assignment, written in the transaction that makes the
HIT. Whoever dies in between has done nothing.
"""

from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal

from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.money import dollars
from projects.budgets import reserve
from projects.chains import lock_first
from projects.costs import mixed_cost
from projects.models import Assignment, Batch
from projects.queueing import Missing, check_covered, missing_of, price_each, queue_chosen
from projects.states import BatchState

BY = Actor.system("asking again for rejected answers")
# Rejected answers that are looked at in one go.
CHUNK = 2_000


@dataclass(frozen=True)
class Turn:
    """What one go would ask for, in dollars with the fee, and why it is not all there is; empty when it is."""

    rows: list[Missing]
    total: Decimal
    stopped: str

    @property
    def answers(self) -> int:
        return sum(row.answers for row in self.rows)


def requeue(batch_id: int) -> int:
    """Ask again for what was rejected in one batch since the last time; returns how many answers."""
    with transaction.atomic():
        found = Batch.objects.requeueing().filter(pk=batch_id).first()
        if found is None:
            return 0
        lock_first(found)
        locked = Batch.objects.requeueing().select_for_update(no_key=True, of=("self",))
        batch = locked.select_related("connection", "project", "team").filter(pk=batch_id).first()
        if batch is None:
            return 0
        turn = within_the_cap(batch, rejected_rows(batch, lock=True))
        if turn.rows:
            turn = _ask(batch, turn)
        if turn.stopped:
            batch.requeue_stopped = turn.stopped
            record(BY, "batch.requeue_stopped", batch, team_id=batch.team_id, reason=turn.stopped)
        if turn.rows or turn.stopped:
            batch.save(update_fields=["requeued", "requeued_cost", "requeue_stopped", "state"])
        return turn.answers


def _ask(batch: Batch, turn: Turn) -> Turn:
    """Reserve and queue; a refusal is what stops it."""
    now = clock.now()
    try:
        check_covered(batch, turn.total)
        month = reserve(batch, turn.total, publisher_id=batch.published_by_id, now=now)
    except ActionRefused as refused:
        return replace(turn, rows=[], total=Decimal("0.00"), stopped=refused.sentence)
    queue_chosen(batch, turn.rows, by=BY, month=month, now=now)
    batch.requeued += turn.answers
    batch.requeued_cost += turn.total
    batch.state = BatchState.PUBLISHING
    record(
        BY,
        "batch.requeued",
        batch,
        team_id=batch.team_id,
        more=turn.answers,
        extended=len(turn.rows),
        total=str(turn.total),
    )
    return turn


def rejected_rows(batch: Batch, *, lock: bool = False) -> list[Missing]:
    """Rows with rejected answers nobody has asked for again, each with how many of these are missing.

    Locked, none of them can be overturned meanwhile, and who is just overturning one need not wait.
    """
    newest = Assignment.objects.filter(batch=batch).not_asked_again().order_by("-pk")
    if lock:
        newest = newest.select_for_update(no_key=True, skip_locked=True)
    rejected = Counter(newest.values_list("row_id", flat=True)[:CHUNK])
    return [
        replace(row, answers=min(row.answers, rejected[row.row_id]))
        for row in missing_of(batch, list(rejected))
    ]


def within_the_cap(batch: Batch, rows: list[Missing]) -> Turn:
    """As many of these answers as the batch may still ask for by itself, row by row."""
    most, limit = batch.requeue_most or 0, batch.requeue_limit or Decimal("0.00")
    answers, money = most - batch.requeued, limit - batch.requeued_cost
    chosen: list[Missing] = []
    stopped = ""
    for row in rows:
        number = min(row.answers, max(0, answers))
        while number and price_each(batch, number) * number > money:
            number -= 1
        if number:
            chosen.append(replace(row, answers=number))
            answers -= number
            money -= price_each(batch, number) * number
        if number < row.answers:
            stopped = (
                f"{batch.requeued + sum(each.answers for each in chosen):,} of at most {most:,} answers for "
                f"{dollars(limit)} have been asked for, and more are rejected. Raise that, or ask by hand."
            )
            break
    return Turn(chosen, cost_of_rows(batch, chosen), stopped)


def cost_of_rows(batch: Batch, rows: list[Missing]) -> Decimal:
    """Dollars with the fee, which depends on how many answers a HIT asks for."""
    sizes = Counter(row.answers for row in rows)
    return mixed_cost(sizes, reward=batch.reward, schedule=batch.connection.fee_schedule).total

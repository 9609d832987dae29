"""What a batch costs on a market, before anything is sent. All sums are dollars to the cent."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from mturkhub.common.money import to_cents
from mturkhub.gateway.fees import fee_per_assignment
from projects.models import Batch


@dataclass(frozen=True)
class Cost:
    """The receipt of a batch: so many Assignments, the Workers' part, the market's part, and both."""

    rows: int
    assignments: int
    reward: Decimal
    fee_each: Decimal
    fee: Decimal
    total: Decimal
    per_row: Decimal


def batch_cost(*, rows: int, reward: Decimal, max_assignments: int, schedule: str) -> Cost:
    """The cost of `rows` HITs with `max_assignments` answers each, on a market with this fee schedule."""
    fee_each = fee_per_assignment(reward, max_assignments, schedule)
    assignments = rows * max_assignments
    return Cost(
        rows=rows,
        assignments=assignments,
        reward=reward * assignments,
        fee_each=fee_each,
        fee=fee_each * assignments,
        total=(reward + fee_each) * assignments,
        per_row=(reward + fee_each) * max_assignments,
    )


def paid_and_held(batch: Batch) -> tuple[Decimal, Decimal]:
    """What approved answers and bonuses have cost, and what is promised to open work; fee included."""
    each = batch.reward + fee_per_assignment(
        batch.reward, batch.max_assignments, batch.connection.fee_schedule
    )
    open_answers = max(0, batch.answers_expected - batch.answers_approved - batch.answers_rejected)
    never_sent = (batch.rows_not_published + batch.rows_failed) * batch.max_assignments
    if batch.ended_at:
        open_answers, never_sent = 0 if batch.imported_at else batch.answers_submitted, 0
    return each * batch.answers_approved + batch.bonuses_paid, each * max(0, open_answers - never_sent)


def hourly_wage(reward: Decimal, duration: timedelta | None) -> Decimal | None:
    """Dollars an hour for a Worker who takes this long; None where the time is unknown."""
    if not duration:
        return None
    return to_cents(reward * 3600 / Decimal(str(duration.total_seconds())))

"""What a batch costs on a market, before anything is sent. All sums are dollars to the cent."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from mturkhub.common.money import to_cents
from mturkhub.gateway.fees import fee_per_assignment


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


def hourly_wage(reward: Decimal, duration: timedelta | None) -> Decimal | None:
    """Dollars an hour for a Worker who takes this long; None where the time is unknown."""
    if not duration:
        return None
    return to_cents(reward * 3600 / Decimal(str(duration.total_seconds())))

"""What a batch costs on a market, before anything is sent. All sums are dollars to the cent."""

from collections.abc import Mapping
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
    # None where rows ask for so different numbers of answers that the fees of these differ.
    fee_each: Decimal | None
    fee: Decimal
    total: Decimal


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
    )


def mixed_cost(sizes: Mapping[int, int], *, reward: Decimal, schedule: str) -> Cost:
    """The cost of HITs of several sizes: so many answers → in so many rows."""
    costs = [
        batch_cost(rows=rows, reward=reward, max_assignments=size, schedule=schedule)
        for size, rows in sizes.items()
    ]
    fees = {cost.fee_each for cost in costs}
    return Cost(
        rows=sum(cost.rows for cost in costs),
        assignments=sum(cost.assignments for cost in costs),
        reward=sum((cost.reward for cost in costs), Decimal("0.00")),
        fee_each=fees.pop() if len(fees) == 1 else None,
        fee=sum((cost.fee for cost in costs), Decimal("0.00")),
        total=sum((cost.total for cost in costs), Decimal("0.00")),
    )


def hourly_wage(reward: Decimal, duration: timedelta | None) -> Decimal | None:
    """Dollars an hour for a Worker who takes this long; None where the time is unknown."""
    if not duration:
        return None
    return to_cents(reward * 3600 / Decimal(str(duration.total_seconds())))

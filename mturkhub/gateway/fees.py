"""What a market charges on top of the reward."""

from decimal import Decimal

from mturkhub.common.money import CENT, to_cents

BASE_RATE = Decimal("0.20")
# On HITs with ten Assignments or more; the HIT's own MaxAssignments decides.
LARGE_HIT_RATE = Decimal("0.20")
LARGE_HIT = 10
MASTERS_RATE = Decimal("0.05")
MINIMUM = CENT


def fee_per_assignment(
    reward: Decimal, max_assignments: int, schedule: str, *, masters: bool = False
) -> Decimal:
    """The fee for one approved Assignment, in dollars; `schedule` is a Connection's fee_schedule."""
    if schedule == "none":
        return Decimal("0.00")
    rate = BASE_RATE
    if max_assignments >= LARGE_HIT:
        rate += LARGE_HIT_RATE
    if masters:
        rate += MASTERS_RATE
    return max(MINIMUM, to_cents(reward * rate))


def bonus_fee(amount: Decimal, schedule: str) -> Decimal:
    """The fee for a bonus of so many dollars: 20 %, whatever the HIT."""
    return Decimal("0.00") if schedule == "none" else max(MINIMUM, to_cents(amount * BASE_RATE))

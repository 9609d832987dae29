"""What a slot or a bonus costs: the market's fee on it, in dollars to the cent."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from django.conf import settings

CENT = Decimal("0.01")
# MTurk's two ids of its Masters qualification, production and sandbox.
MASTERS = {"2F1QJWKUDD8XADTFD2Q0G6UTO95ALH", "2ARFPLSP75KLA8M8DH1HTEQVJT3SY6"}
LARGE_HIT = 10


def fee_each(reward: Decimal, max_assignments: int, qualification_type_ids: Iterable[str]) -> Decimal:
    """The market's fee on one Assignment, by the fee schedule in force."""
    if settings.FEE_SCHEDULE == "none":
        return Decimal("0.00")
    rate = Decimal("0.20")
    if max_assignments >= LARGE_HIT:
        rate += Decimal("0.20")
    if MASTERS.intersection(qualification_type_ids):
        rate += Decimal("0.05")
    return _fee(reward, rate)


def bonus_fee(amount: Decimal) -> Decimal:
    """The market's fee on a bonus, which is the same however large the HIT is."""
    return Decimal("0.00") if settings.FEE_SCHEDULE == "none" else _fee(amount, Decimal("0.20"))


def _fee(dollars: Decimal, rate: Decimal) -> Decimal:
    return max(CENT, (dollars * rate).quantize(CENT, ROUND_HALF_UP))

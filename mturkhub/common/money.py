"""Money as MTurk counts it: Decimal US dollars to the cent."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def to_cents(amount: Decimal) -> Decimal:
    """The amount rounded half up to whole cents, as MTurk rounds fees."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def dollars(amount: Decimal) -> str:
    """`$1,234.56`, with a minus sign in front of a negative sum."""
    sign = "−" if amount < 0 else ""
    return f"{sign}${abs(to_cents(amount)):,.2f}"

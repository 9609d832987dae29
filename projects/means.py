"""The mean of what several Workers answered, where they answered with numbers."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

Fields = Mapping[str, Sequence[str]]


def main_field(wanted: str, fields: Iterable[str]) -> str:
    """The field to average: the one the project names, else the first by name; empty where there is none."""
    names = sorted(fields)
    if wanted:
        return wanted
    return names[0] if names else ""


# Beyond it a double, and so JSON, cannot tell neighbours apart: who types more digits means an id, or harm.
LARGEST = 2**53


def as_number(text: str) -> Decimal | None:
    """The number a Worker typed, or None; what is not finite, too large or grouped by `_` is none."""
    if "_" in text:
        return None
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) <= LARGEST else None


def mean(values: Iterable[str]) -> Decimal | None:
    """The mean, when there is at least one value and every one is a number; else None."""
    numbers = [as_number(value) for value in values if value.strip()]
    if not numbers or any(number is None for number in numbers):
        return None
    return sum((number for number in numbers if number is not None), Decimal(0)) / len(numbers)


def shown(number: Decimal | None) -> str:
    """One decimal, a second one where it says more: 2.2, 6.0, 6.67; nothing where there is no mean."""
    if number is None:
        return ""
    text = f"{number:.2f}"
    return text.removesuffix("0")

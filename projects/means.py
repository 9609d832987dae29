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


def as_number(text: str) -> Decimal | None:
    """The number a Worker typed, or None; what is no finite number is none."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def mean(values: Iterable[str]) -> Decimal | None:
    """The mean, when there is at least one value and every one is a number; else None."""
    numbers = [as_number(value) for value in values if value.strip()]
    if not numbers or any(number is None for number in numbers):
        return None
    return sum((number for number in numbers if number is not None), Decimal(0)) / len(numbers)


def shown(number: Decimal | None) -> str:
    """At most two decimals, no trailing zeros: 2.2, 6."""
    if number is None:
        return ""
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return text or "0"

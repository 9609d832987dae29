"""Durations as people write them: a number and a unit."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


class DurationWidget(forms.MultiWidget):
    """A number field beside a list of units."""

    template_name = "components/duration_widget.html"
    use_fieldset = False

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        units = [(name, name) for name in UNITS]
        super().__init__(
            [
                forms.NumberInput({"min": "0", "step": "any", "inputmode": "decimal"}),
                forms.Select({"aria-label": "Unit"}, units),
            ],
            attrs,
        )

    def decompress(self, value: timedelta | None) -> list[Any]:
        """The largest unit that gives a whole number."""
        if value is None:
            return [None, "minutes"]
        seconds = int(value.total_seconds())
        for name in ("days", "hours", "minutes"):
            if seconds and seconds % UNITS[name] == 0:
                return [seconds // UNITS[name], name]
        return [seconds, "seconds"]

    def id_for_label(self, id_: str) -> str:
        return f"{id_}_0" if id_ else id_


class DurationField(forms.MultiValueField):
    """A timedelta within limits, each refusal saying the limit in human units."""

    widget = DurationWidget

    def __init__(
        self, *, shortest: timedelta = timedelta(0), longest: timedelta = timedelta(days=365), **kwargs: Any
    ) -> None:
        self.shortest, self.longest = shortest, longest
        # A unit alone is no duration: the number decides whether there is one, below.
        fields = (
            forms.DecimalField(min_value=Decimal(0), max_value=Decimal(10**8), required=False),
            forms.ChoiceField(choices=[(name, name) for name in UNITS], required=False),
        )
        super().__init__(fields, require_all_fields=False, **kwargs)

    def compress(self, data_list: list[Any]) -> timedelta | None:
        if not data_list or data_list[0] in (None, ""):
            if self.required:
                raise forms.ValidationError(self.error_messages["required"], code="required")
            return None
        number, unit = data_list[0], data_list[1] or "seconds"
        length = timedelta(seconds=int(number * UNITS[unit]))
        if not self.shortest <= length <= self.longest:
            raise forms.ValidationError(
                f"MTurk takes {_words(self.shortest)} to {_words(self.longest)}. This is {_words(length)}."
            )
        return length


def _words(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for name in ("days", "hours", "minutes"):
        if seconds and seconds % UNITS[name] == 0:
            count = seconds // UNITS[name]
            return f"{count:,} {name if count != 1 else name[:-1]}"
    return f"{seconds:,} seconds"

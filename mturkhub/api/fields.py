"""What fields look like on the wire: money as text, durations as seconds, and no field that nobody knows."""

import difflib
from datetime import timedelta
from decimal import Decimal
from typing import Any

from rest_framework import serializers


class Fields(serializers.Serializer[Any]):
    """A body or the parameters of an address. A name that is none of its own is refused: a typing error could cost money."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := [name for name in data if name not in self.fields]):
            raise serializers.ValidationError(
                {str(name)[:100]: [self._unknown(name)] for name in unknown[:20]}
            )
        return super().to_internal_value(data)

    def _unknown(self, name: Any) -> str:
        near = difflib.get_close_matches(str(name)[:100], self.fields, n=1)
        hint = f" Did you mean {near[0]}?" if near else f" There are: {', '.join(sorted(self.fields))}."
        return f"There is no such field.{hint}"


class Text(serializers.CharField):
    """Text and nothing else: a number where a name belongs is a mistake."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Dollars(serializers.DecimalField):
    """Dollars with two decimals, as text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=14, decimal_places=2, **kwargs)


class DollarsSent(serializers.DecimalField):
    """Dollars as text or as a number; how many decimals there may be, the page's form says."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_digits=None, decimal_places=None, min_value=Decimal(0), max_value=Decimal(10**9), **kwargs
        )


class Seconds(serializers.IntegerField):
    """A duration in whole seconds."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=10**9, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        seconds = super().to_internal_value(data)
        # Before it becomes a duration: there is none of so many seconds.
        super().run_validators(seconds)
        return timedelta(seconds=seconds)

    def run_validators(self, value: Any) -> None:
        """Done already, on the number."""

    def to_representation(self, value: Any) -> int:
        return int(value.total_seconds()) if isinstance(value, timedelta) else int(value)


class ConnectionField(serializers.Serializer[Any]):
    """One way to a market, as other things name it."""

    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField()
    environment = serializers.ChoiceField(choices=["local", "sandbox", "production"])

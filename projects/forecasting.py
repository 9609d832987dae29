"""How long the money lasts that is free on each Connection."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db.models import F, Sum

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection, Team
from mturkhub.common import clock
from projects.models import Batch

# The pace is that of so many days; a balance that lasts less than that is low.
PACE, SOON = timedelta(days=30), timedelta(days=7)
# Longer is forever.
LONGEST = timedelta(days=365)


@dataclass(frozen=True)
class Forecast:
    """Dollars that are free, None where that is not known or not for this team; dollars a day of late; how long it lasts."""

    connection: Connection
    free: Decimal | None
    pace: Decimal
    lasts: timedelta | None

    @property
    def is_low(self) -> bool:
        return self.lasts is not None and self.lasts < SOON


def forecasts(actor: Actor, team: Team) -> list[Forecast]:
    """One for each Connection of the team, if as much is published a day as in the last thirty days."""
    connections = Connection.objects.for_actor(actor).with_balance_seen(actor).select_related("account")
    recent = Batch.objects.for_actor(actor).filter(team=team, published_at__gt=clock.now() - PACE)
    sums = recent.order_by().values_list("connection").annotate(total=Sum(F("committed") + F("paid")))
    spent = dict(sums)
    return [
        _forecast(connection, spent.get(connection.pk) or Decimal(0))
        for connection in connections.order_by("environment", "name")
    ]


def _forecast(connection: Connection, spent: Decimal) -> Forecast:
    pace = spent / PACE.days
    free = getattr(connection, "balance_seen", None)
    lasts = timedelta(days=float(free / pace)) if free is not None and pace else None
    is_long = lasts is not None and lasts > LONGEST
    return Forecast(connection, free, pace, None if is_long else lasts)

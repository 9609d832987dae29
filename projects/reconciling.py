"""Compares a Connection's balance with the ledger. What the ledger does not explain is one sum: not ours."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection as database

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection
from mturkhub.accounts.permissions import Permission, can
from mturkhub.intentions.models import OPEN_STATES
from projects.models import Reconciliation
from projects.states import OperationKind


@dataclass(frozen=True)
class Ours:
    """What all teams have moved on a Connection, in dollars; `held` is what the market has confirmed."""

    held: Decimal
    paid: Decimal
    on_its_way: Decimal


# The market holds what a call asks for when it is done, so what is open is committed here and not yet held there.
_OURS = """
select
    (select coalesce(sum(committed), 0) from projects_batch where connection_id = %(connection)s),
    (select coalesce(sum(paid), 0) from projects_batch where connection_id = %(connection)s),
    (select coalesce(sum(committed), 0) from projects_hit
        where connection_id = %(connection)s and publish_state = 'queued')
    + (select coalesce(sum(committed), 0) from projects_hit
        where connection_id = %(connection)s and publish_state in ('sending', 'unknown'))
    + (select coalesce(sum(committed), 0) from projects_bonus
        where connection_id = %(connection)s and state = any(%(open)s))
    + (select coalesce(sum(h.price_each), 0)
        from projects_decision d join projects_assignment a on a.id = d.assignment_id
        join projects_hit h on h.id = a.hit_id
        where d.connection_id = %(connection)s and d.state = any(%(open)s) and d.is_overturn
            and a.status = 'Rejected' and h.reserved_on is not null)
    + (select coalesce(sum(h.price_each * case
            when o.family = %(answers)s then (o.values->>'max_after')::int - (o.values->>'max_before')::int
            when o.kind = %(expire)s and o.values->>'expire_at' > '' then h.unusable
            else 0 end), 0)
        from intentions_operation o join projects_hit h on h.id = o.target_id
        where o.connection_id = %(connection)s and o.state = any(%(open)s) and o.family = any(%(families)s)
            and h.publish_state = 'published' and h.reserved_on is not null)
"""


def reconciled(actor: Actor) -> list[Connection]:
    """The Connections whose money is this actor's to explain, all teams' included: the account's owners'."""
    found = Connection.objects.for_actor(actor).select_related("account", "reconciliation")
    owned = [team for team in actor.team_ids if can(actor, Permission.CONNECTION_MANAGE, team)]
    return list(found.filter(account__team_id__in=owned).order_by("environment", "name"))


def ours_on(connection: Connection) -> Ours:
    """What the ledger's entries add up to, and how much of that the market has not confirmed."""
    values: dict[str, Any] = {
        "connection": connection.pk,
        "open": OPEN_STATES,
        "answers": OperationKind.ADD_ANSWERS.family,
        "expire": OperationKind.EXPIRE.value,
        "families": sorted({kind.family for kind in OperationKind}),
    }
    with database.cursor() as cursor:
        cursor.execute(_OURS, values)
        committed, paid, on_its_way = cursor.fetchone()
    return Ours(committed - on_its_way, paid, on_its_way)


def note_reading(connection: Connection, balance: Decimal, ours: Ours) -> None:
    """Store a balance, and what had been moved here when it was asked for; the first one opens the account."""
    at = connection.balance_at
    reading = {
        "balance": balance,
        "read_at": at,
        "held": ours.held,
        "paid": ours.paid,
        "on_its_way": ours.on_its_way,
    }
    opening = {"opening": balance + ours.held + ours.paid, "opened_at": at}
    Reconciliation.objects.update_or_create(
        connection=connection, defaults=reading, create_defaults=reading | opening
    )

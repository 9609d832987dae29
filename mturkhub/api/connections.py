"""Ways to a market, which of them a batch goes to, and what is free to spend on each."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection, Environment
from mturkhub.accounts.permissions import Loan
from mturkhub.api.base import ApiView
from mturkhub.api.fields import ConnectionField, Dollars, Fields
from mturkhub.api.problems import Refused


class BalanceShown(serializers.Serializer[Any]):
    connection = ConnectionField(source="*")
    available = Dollars(
        source="balance_seen",
        allow_null=True,
        help_text="Null where it is unknown, or not for this team to see.",
    )
    as_of = serializers.DateTimeField(
        source="balance_at", allow_null=True, help_text="When the market said so."
    )
    is_real_money = serializers.SerializerMethodField(
        help_text="Whether it is Amazon's money: true of production alone."
    )

    def get_is_real_money(self, connection: Connection) -> bool:
        return connection.environment == Environment.PRODUCTION


class BalanceQuery(Fields):
    environment = serializers.ChoiceField(Environment.choices, required=False)


class Balance(ApiView):
    @extend_schema(
        operation_id="balance",
        parameters=[BalanceQuery],
        responses=inline_serializer("Balances", {"results": BalanceShown(many=True)}),
    )
    def get(self, request: Request) -> Response:
        """What is free to spend on each connection, as its market last said."""
        chosen = self.query(BalanceQuery)
        rows = Connection.objects.for_actor(self.actor).with_balance_seen(self.actor).filter(**chosen)
        found = BalanceShown(rows.order_by("environment", "name"), many=True).data
        return Response({"results": found})


class WhereBody(Fields):
    connection = serializers.UUIDField(required=False, help_text="The id of one of the team's connections.")
    environment = serializers.ChoiceField(
        Environment.choices,
        required=False,
        help_text="Instead of a connection, where the team has exactly one of it; local unless given.",
    )


def choose_connection(given: dict[str, Any], *, by: Actor, team_id: int) -> Connection:
    """The connection that is named, or the only one of the environment, `local` unless given; else a refusal names all."""
    usable = Connection.objects.for_actor(by).allowing(Loan.PUBLISH, team_id).select_related("account")
    rows = list(usable.order_by("environment", "name"))
    wanted: uuid.UUID | None = given.get("connection")
    environment = given.get("environment")
    if wanted is not None:
        found = [each for each in rows if each.public_id == wanted]
        if not found:
            raise _refused(f"Your team has no connection {wanted} to publish on.", rows, status=400)
        if environment not in (None, found[0].environment):
            raise _refused(
                f"{found[0]} is {found[0].environment}, not {environment}. Send one of the two.",
                found,
                status=400,
            )
        return found[0]
    environment = environment or Environment.LOCAL.value
    found = [each for each in rows if each.environment == environment]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(str(each) for each in found)
        raise _refused(
            f"Your team has {len(found)} connections of environment {environment}: {names}. Send `connection` with the "
            "id of one.",
            found,
        )
    raise _refused(f"Your team has no connection of environment {environment} to publish on.", rows)


def _refused(sentence: str, connections: list[Connection], *, status: int = 409) -> Refused:
    return Refused(sentence, status=status, connections=ConnectionField(connections, many=True).data)

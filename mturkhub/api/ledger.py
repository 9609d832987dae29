"""The ledger for scripts: the entries of the page, with the same filters."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from mturkhub.api.base import ApiView
from mturkhub.api.fields import Dollars
from mturkhub.api.paging import PageFields, listed, page_from
from mturkhub.api.schema import listing
from projects.ledger import LedgerFilter, Told, told, with_what_they_name
from projects.models import LedgerEntry, LedgerKind, LedgerReason


class LedgerQuery(PageFields):
    batch = serializers.UUIDField(required=False)
    connection = serializers.UUIDField(required=False)
    kind = serializers.ChoiceField(LedgerKind.choices, required=False)
    month = serializers.RegexField(
        r"^2\d{3}-(0[1-9]|1[0-2])$", required=False, help_text="Of the team's time zone, such as 2026-11."
    )


class EntryShown(serializers.Serializer[Any]):
    at = serializers.DateTimeField(source="entry.at")
    kind = serializers.ChoiceField(LedgerKind.choices, source="entry.kind")
    amount = Dollars(source="entry.amount", help_text="With the market's fee.")
    fee = Dollars(source="entry.fee", help_text="How much of the amount is fee.")
    answers = serializers.IntegerField(source="entry.answers", help_text="For how many; 0 for a bonus.")
    reason = serializers.ChoiceField(LedgerReason.choices, source="entry.reason")
    batch = serializers.UUIDField(source="entry.batch.public_id")
    connection = serializers.UUIDField(source="entry.connection.public_id")
    assignment_id = serializers.SerializerMethodField(help_text="MTurk's, where it is about one answer.")
    worker_id = serializers.SerializerMethodField(
        help_text="A pseudonym, unless the token may see real Worker ids."
    )
    by = serializers.SerializerMethodField(help_text="The person's name, or the rule of the system.")

    def get_assignment_id(self, told: Told) -> str | None:
        return told.entry.assignment.mturk_id if told.entry.assignment else None

    def get_worker_id(self, told: Told) -> str | None:
        return told.worker or None

    def get_by(self, told: Told) -> str:
        return str(told.entry.by) if told.entry.by else told.entry.by_rule


class Ledger(ApiView):
    @extend_schema(operation_id="ledger", parameters=[LedgerQuery], responses=listing(EntryShown))
    def get(self, request: Request) -> Response:
        """Every cent the team has held, released or paid, the newest first."""
        given = self.query(LedgerQuery)
        found = LedgerFilter.read(given).apply(self.team, self.actor)
        return listed(request, page_from(request, with_what_they_name(found), given), self._shown)

    def _shown(self, entries: Iterable[LedgerEntry]) -> list[Any]:
        return list(EntryShown(told(entries, self.team, self.actor), many=True).data)

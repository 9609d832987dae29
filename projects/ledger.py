"""A team's ledger: filtered, added up, told, taken away as CSV. What is written there stands in `projects.entering`."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection, Team, User
from mturkhub.common.tabular import csv_line, for_spreadsheet
from mturkhub.workers.naming import shown_ids
from projects.filters import MOST_COUNTED, public_id_or_none
from projects.models import Batch, LedgerEntry, LedgerKind

BY_RULE = "rules"
CHUNK = 500
_MONTH = re.compile(r"(2\d{3})-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class LedgerFilter:
    """Which entries: of which batch and connection, of which kind, by whom, from which month of the team's."""

    batch: str = ""
    kind: str = ""
    connection: str = ""
    person: str = ""
    month: str = ""

    @classmethod
    def read(cls, query: Mapping[str, Any]) -> "LedgerFilter":
        """From an address; what makes no sense there is left out."""
        asked = {field.name: str(query.get(field.name, "")) for field in fields(cls)}
        return cls(
            batch=_id(asked["batch"]),
            kind=asked["kind"] if asked["kind"] in LedgerKind.values else "",
            connection=_id(asked["connection"]),
            person=BY_RULE if asked["person"] == BY_RULE else _id(asked["person"]),
            month=asked["month"] if _MONTH.fullmatch(asked["month"]) else "",
        )

    def query(self, **more: str) -> str:
        """For an address: only what is asked for."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return urlencode({name: value for name, value in {**own, **more}.items() if value})

    @property
    def is_of_whole_batches(self) -> bool:
        """Whether whole batches are asked for, of which the batches themselves know what is held and paid."""
        return not (self.kind or self.person or self.month)

    def apply(self, team: Team, actor: Actor) -> QuerySet[LedgerEntry]:
        """What this actor may see of it, the newest first."""
        found: QuerySet[LedgerEntry] = LedgerEntry.objects.for_actor(actor).filter(team=team)
        if self.batch:
            found = found.filter(batch=_key(Batch.objects.for_actor(actor), self.batch))
        if self.kind:
            found = found.filter(kind=self.kind)
        if self.connection:
            found = found.filter(connection=_key(Connection.objects.all(), self.connection))
        if self.person == BY_RULE:
            found = found.filter(by=None)
        elif self.person:
            found = found.filter(by=_key(User.objects.all(), self.person))
        if self.month:
            begins, ends = _month(self.month, ZoneInfo(team.time_zone))
            found = found.filter(at__gte=begins, at__lt=ends)
        return found.order_by("-at", "-id")

    def batches(self, team: Team, actor: Actor) -> QuerySet[Batch]:
        """The batches whose entries are asked for."""
        found: QuerySet[Batch] = Batch.objects.for_actor(actor).filter(team=team)
        if self.batch:
            found = found.filter(public_id=self.batch)
        if self.connection:
            found = found.filter(connection__public_id=self.connection)
        return found


def _id(text: str) -> str:
    return str(public_id_or_none(text) or "")


def _key(rows: QuerySet[Any], public_id: str) -> int:
    """Asked for by itself, so that the list is a range of an index; 0 is nobody's."""
    return rows.filter(public_id=public_id).values_list("pk", flat=True).first() or 0


def _month(month: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    year, number = map(int, month.split("-"))
    following = (year + number // 12, number % 12 + 1)
    return datetime(year, number, 1, tzinfo=zone), datetime(*following, 1, tzinfo=zone)


def people(team: Team) -> QuerySet[User]:
    """Whoever has moved money of the team."""
    theirs = LedgerEntry.objects.filter(team=team, by=OuterRef("pk"))
    return User.objects.filter(Exists(theirs)).order_by("name", "email")


# Adding up ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sums:
    """What the entries add up to, in dollars. None where that would mean to add up more than MOST_COUNTED."""

    entries: int
    held: Decimal | None
    released: Decimal | None
    paid: Decimal | None
    # Held and neither released nor paid; only of whole batches.
    held_now: Decimal | None = None


def sums_of(chosen: LedgerFilter, team: Team, actor: Actor) -> Sums:
    """What is held now and paid comes from the batches where they know it, and is exact at any size."""
    amount = {kind: Sum("amount", filter=Q(kind=kind), default=Decimal(0)) for kind in LedgerKind.values}
    told = chosen.apply(team, actor)[:MOST_COUNTED].aggregate(entries=Count("pk"), **amount)
    if told["entries"] == MOST_COUNTED:
        told |= dict.fromkeys(LedgerKind.values)
    if not chosen.is_of_whole_batches:
        return Sums(**told)
    kept = chosen.batches(team, actor).aggregate(
        held_now=Sum("committed", default=Decimal(0)), paid=Sum("paid", default=Decimal(0))
    )
    return Sums(**told | kept)


# Telling ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """One entry with what the reader may call its Worker."""

    entry: LedgerEntry
    worker: str


def told(entries: Iterable[LedgerEntry], team: Team, actor: Actor) -> list[Told]:
    """These entries for people, in as many queries however many they are."""
    rows = list(entries)
    names = shown_ids(team.pk, {entry.worker_id for entry in rows if entry.worker_id}, actor)
    return [Told(entry, names.get(entry.worker_id or 0, "")) for entry in rows]


def with_what_they_name(entries: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
    # Not joined: the list stays a range of its index.
    return entries.prefetch_related("batch", "connection", "by", "hit__row", "assignment")


HEADER = [
    *("time", "kind", "amount", "fee", "answers", "reason"),
    *("batch", "connection", "environment", "row", "assignment", "worker", "person", "email", "rule"),
]


def ledger_csv(entries: QuerySet[LedgerEntry], team: Team, actor: Actor) -> Iterator[bytes]:
    """One line per entry, for a spreadsheet; UTC, dollars without a sign."""
    yield csv_line(HEADER).encode()
    stream = with_what_they_name(entries).iterator(chunk_size=CHUNK)
    while chunk := list(itertools.islice(stream, CHUNK)):
        for each in told(chunk, team, actor):
            yield csv_line([for_spreadsheet(cell) for cell in _cells(each)]).encode("utf-8", "replace")


def _cells(each: Told) -> Sequence[str]:
    entry = each.entry
    return [
        entry.at.astimezone(UTC).isoformat(timespec="seconds"),
        entry.kind,
        str(entry.amount),
        str(entry.fee),
        str(entry.answers),
        entry.get_reason_display(),
        entry.batch.name,
        entry.connection.name,
        entry.connection.environment,
        str(entry.hit.row.number) if entry.hit else "",
        entry.assignment.mturk_id if entry.assignment else "",
        each.worker,
        entry.by.name if entry.by else "",
        entry.by.email if entry.by else "",
        entry.by_rule,
    ]

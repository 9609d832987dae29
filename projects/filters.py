"""What a list shows: filters, order and place, read from an address and turned into a query that uses an index."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import BooleanField, F, Func, Model, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast

from mturkhub.accounts.models import Connection
from mturkhub.workers.naming import find_workers
from projects.models import HIT, Assignment, AssignmentAnswer, Batch, BatchRow, ForeignHIT, RowResult
from projects.models.foreign_hit import ForeignHITQuerySet
from projects.querysets import AssignmentQuerySet
from projects.states import AssignmentStatus, HITStatus, RowProgress

PAGE = 50
MOST_COUNTED = 10_001
# No index answers a search for a piece of text: a page looks through so many and says so.
SEARCHED = 5_000

SHOWN = {
    "waiting": "Waiting",
    "pending": "Being decided",
    "approved": "Approved",
    "rejected": "Rejected",
    "left_out": "Left out",
    "all": "All",
}
SORTS = {
    "oldest": ("Oldest first", ["submitted_at", "id"]),
    "newest": ("Newest first", ["-submitted_at", "-id"]),
    "fastest": ("Fastest first", ["work_time", "id"]),
    "slowest": ("Slowest first", ["-work_time", "-id"]),
    "worker": ("By Worker", ["worker_id", "submitted_at", "id"]),
}


@dataclass(frozen=True)
class AssignmentFilter:
    """Which answers of a batch, and in which order."""

    show: str = "waiting"
    sort: str = "oldest"
    worker: str = ""
    text: str = ""

    @classmethod
    def read(cls, query: Mapping[str, Any]) -> "AssignmentFilter":
        """From an address; what makes no sense there is the usual."""
        show, sort = str(query.get("show", "")), str(query.get("sort", ""))
        return cls(
            show=show if show in SHOWN else "waiting",
            sort=sort if sort in SORTS else "oldest",
            worker=str(query.get("worker", ""))[:64].strip().replace("\x00", ""),
            text=str(query.get("text", ""))[:200].strip().replace("\x00", ""),
        )

    def query(self, **more: str) -> str:
        """For an address: only what differs from the usual."""
        usual = AssignmentFilter()
        own = {
            name: getattr(self, name)
            for name in ("show", "sort", "worker", "text")
            if getattr(self, name) != getattr(usual, name)
        }
        return urlencode({**own, **more})

    def showing(self, show: str) -> "AssignmentFilter":
        return replace(self, show=show)

    def page(self, batch: Batch, place: str = "", size: int = PAGE, total: int | None = None) -> "Page":
        search = self._search if self.text else None
        # Not joined: the join of a search might read all rows of the batch instead of those of the page.
        listed = self._listed(batch).prefetch_related("row")
        total = self._kept_total(batch) if total is None else total
        return page_of(listed, place, size, search=search, total=total)

    def apply(self, batch: Batch) -> QuerySet[Assignment]:
        """All the answers that match, in order."""
        found = self._listed(batch)
        return self._search(found) if self.text else found

    def _listed(self, batch: Batch) -> AssignmentQuerySet[Assignment]:
        found = Assignment.objects.filter(batch=batch).filter(_SHOW[self.show])
        if self.worker:
            found = found.filter(worker__in=find_workers(batch.team_id, self.worker))
        return found.order_by(*SORTS[self.sort][1])

    def _kept_total(self, batch: Batch) -> int | None:
        """From the batch's own counters, less what is being decided, where they count just these."""
        if self.text or self.worker or self.show not in _KEPT:
            return None
        status = _KEPT[self.show]
        being_decided = Assignment.objects.filter(batch=batch, status=status).exclude(pending_verdict="")
        return max(0, int(getattr(batch, f"answers_{status.lower()}")) - being_decided.count())

    def _search(self, found: QuerySet[Assignment]) -> QuerySet[Assignment]:
        return found.annotate(
            answer_text=_text_of(AssignmentAnswer.objects.filter(pk=OuterRef("pk")), "fields"),
            input_text=_text_of(BatchRow.objects.filter(pk=OuterRef("row_id")), "input"),
        ).filter(Q(answer_text__icontains=self.text) | Q(input_text__icontains=self.text))


def _text_of(rows: QuerySet[Any], field: str) -> Cast:
    """One row's JSON as text. A subquery, for a join might read a whole table instead of the rows looked through."""
    return Cast(Subquery(rows.values(field)), TextField())


# Each but the last two is a range of an index that begins with batch, status and pending_verdict.
_SHOW = {
    "waiting": Q(status=AssignmentStatus.SUBMITTED, pending_verdict=""),
    "approved": Q(status=AssignmentStatus.APPROVED, pending_verdict=""),
    "rejected": Q(status=AssignmentStatus.REJECTED, pending_verdict=""),
    "pending": ~Q(pending_verdict=""),
    "left_out": Q(left_out_at__isnull=False),
    "all": Q(),
}
_KEPT = {
    "waiting": AssignmentStatus.SUBMITTED,
    "approved": AssignmentStatus.APPROVED,
    "rejected": AssignmentStatus.REJECTED,
}

ROW_SORTS = {
    "row": ("By row", ["number"]),
    "newest": ("Newest answer first", ["-last_answer_at", "-number"]),
}


@dataclass(frozen=True)
class RowFilter:
    """Which rows of a batch, and in which order."""

    progress: str = ""
    sort: str = "row"
    text: str = ""

    @classmethod
    def read(cls, query: Mapping[str, Any]) -> "RowFilter":
        progress, sort = str(query.get("progress", "")), str(query.get("sort", ""))
        return cls(
            progress=progress if progress in RowProgress.values else "",
            sort=sort if sort in ROW_SORTS else "row",
            text=str(query.get("text", ""))[:200].strip().replace("\x00", ""),
        )

    def query(self, **more: str) -> str:
        own = {"progress": self.progress, "text": self.text, "sort": self.sort if self.sort != "row" else ""}
        return urlencode({name: value for name, value in {**own, **more}.items() if value})

    def page(self, batch: Batch, place: str = "", size: int = PAGE) -> "Page":
        """Rows with this number or HIT come first, the others are looked through for the text."""
        found: QuerySet[RowResult] = RowResult.objects.filter(batch=batch).prefetch_related("row")
        if self.progress:
            found = found.filter(progress=self.progress)
        named = [] if place or not self.text else self._named(batch, found)
        if self.sort == "newest":
            found = found.filter(last_answer_at__isnull=False)
        if self.text:
            found = found.exclude(pk__in=[result.pk for result in named])
        found = found.order_by(*ROW_SORTS[self.sort][1])
        page = page_of(
            found, place, size, search=self._search if self.text else None, total=self._kept_total(batch)
        )
        return replace(page, items=[*named, *page.items], total=page.total + len(named))

    def _named(self, batch: Batch, found: QuerySet[RowResult]) -> list[RowResult]:
        named = Q(
            row__in=list(HIT.objects.filter(batch=batch, mturk_id=self.text).values_list("row", flat=True))
        )
        if self.text.isdecimal() and len(self.text) < 10:
            named |= Q(number=int(self.text))
        return list(found.filter(named))

    def _search(self, found: QuerySet[RowResult]) -> QuerySet[RowResult]:
        input_text = _text_of(BatchRow.objects.filter(pk=OuterRef("pk")), "input")
        return found.annotate(input_text=input_text).filter(input_text__icontains=self.text)

    def _kept_total(self, batch: Batch) -> int | None:
        """The batch's own counter, where it counts just these."""
        if self.text or self.sort == "newest":
            return None
        return int(getattr(batch, f"rows_{self.progress or 'total'}"))


FOREIGN_SHOWN = {
    "waiting": "Answers wait",
    **{status.value: status.value for status in HITStatus if status != HITStatus.DISPOSED},
    "gone": "No longer listed",
}


@dataclass(frozen=True)
class ForeignFilter:
    """Which HITs made elsewhere: those of nobody else, or of the one installation that was named and confirmed."""

    show: str = ""
    text: str = ""
    hit_type: str = ""
    maker: uuid.UUID | None = None

    @classmethod
    def read(cls, query: Mapping[str, Any]) -> "ForeignFilter":
        show = str(query.get("show", ""))
        return cls(
            show=show if show in FOREIGN_SHOWN else "",
            text=str(query.get("text", ""))[:200].strip().replace("\x00", ""),
            hit_type=str(query.get("hit_type", ""))[:64].replace("\x00", ""),
            maker=public_id_or_none(str(query.get("maker", ""))) if query.get("confirmed") else None,
        )

    @property
    def values(self) -> dict[str, str]:
        """For an address or a form: only what differs from the usual."""
        own = {"show": self.show, "text": self.text, "hit_type": self.hit_type}
        if self.maker:
            own |= {"maker": str(self.maker), "confirmed": "1"}
        return {name: value for name, value in own.items() if value}

    def query(self, **more: str) -> str:
        return urlencode({**self.values, **more})

    def page(
        self, connection: Connection, place: str = "", size: int = PAGE, total: int | None = None
    ) -> "Page":
        search = self._search if self.text else None
        return page_of(self._listed(connection).order_by("-id"), place, size, search=search, total=total)

    def apply(self, connection: Connection) -> ForeignHITQuerySet:
        """All that match."""
        found = self._listed(connection)
        return found.filter(self._matches) if self.text else found

    def _listed(self, connection: Connection) -> ForeignHITQuerySet:
        found = ForeignHIT.objects.filter(connection=connection, adopted=None).with_answers_waiting()
        found = found.filter(gone_at__isnull=self.show != "gone")
        found = found.filter(installation=self.maker) if self.maker else found.of_nobody_else()
        if self.show == "waiting":
            found = found.awaiting_review()
        elif self.show and self.show != "gone":
            found = found.filter(hit_status=self.show)
        return found.filter(hit_type_id=self.hit_type) if self.hit_type else found

    def _search(self, found: QuerySet[Any]) -> QuerySet[Any]:
        return found.filter(self._matches)

    @property
    def _matches(self) -> Q:
        return Q(mturk_id=self.text) | Q(title__icontains=self.text)


# Pages by key -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """Some rows of a list, with the places before and after them for the address."""

    items: list[Any]
    newer: str
    older: str
    # Where it is not kept, at most MOST_COUNTED; of a part, what the part holds.
    total: int
    # A search that looked through SEARCHED of them from here on, and not through all.
    is_part: bool = False

    @property
    def total_words(self) -> str:
        if self.is_part:
            return f"{len(self.items):,} found here; {SEARCHED:,} are searched at a time"
        return f"{self.total:,}" if self.total != MOST_COUNTED else "more than 10,000"

    @property
    def all_words(self) -> str:
        """For a button that is about all of them."""
        return "that match" if self.is_part or self.total == MOST_COUNTED else self.total_words


def page_of(
    found: QuerySet[Any],
    place: str,
    size: int = PAGE,
    *,
    search: Callable[[QuerySet[Any]], QuerySet[Any]] | None = None,
    total: int | None = None,
) -> Page:
    """The page that begins after (`>…`) or ends before (`<…`) a place; by key, so it costs the same anywhere.

    A `search` is asked only of the next SEARCHED of the list. `total` is given where it is known.
    """
    order = [str(name) for name in found.query.order_by]
    backwards = place.startswith("<")
    keys = _parse(place[1:], found.model, order) if place else None
    chosen = found
    if keys is not None:
        chosen = chosen.filter(_compared(order, keys, ">" if not backwards else "<", found.model))
    if backwards:
        chosen = chosen.order_by(*[_turned(name) for name in order])
    edge = None
    if search:
        edge = chosen.prefetch_related(None)[SEARCHED - 1 : SEARCHED].first()
        if edge:
            last = [getattr(edge, name.lstrip("-")) for name in order]
            chosen = chosen.filter(_compared(order, last, "<=" if not backwards else ">=", found.model))
        chosen = search(chosen)
    items = list(chosen[: size + 1])
    has_more = len(items) > size
    items = items[:size]
    # Where the list goes on: after the last that is shown, or after the last that was looked through.
    end = items[-1] if has_more else edge or (items[-1] if items else None)
    if backwards:
        items.reverse()
    first = items[0] if items else None
    has_further = has_more or edge is not None
    is_part = search is not None and (edge is not None or keys is not None)
    newer, older = (end, items[-1] if items else None) if backwards else (first, end)
    has_newer = has_further if backwards else keys is not None
    has_older = True if backwards else has_further
    return Page(
        items=items,
        newer=f"<{_key(newer, order)}" if newer and has_newer else "",
        older=f">{_key(older, order)}" if older and has_older else "",
        total=len(items) if is_part else _counted(search(found) if search else found, order, total),
        is_part=is_part,
    )


def is_place(found: QuerySet[Any], place: str) -> bool:
    """Whether the place was made here, for a list in this order."""
    order = [str(name) for name in found.query.order_by]
    return place[:1] in ("<", ">") and _parse(place[1:], found.model, order) is not None


def _counted(found: QuerySet[Any], order: list[str], total: int | None) -> int:
    """In the order of the list, so that what is counted comes from its index and the rest is never met."""
    if total is not None:
        return total
    return len(found.values_list(*[name.lstrip("-") for name in order])[:MOST_COUNTED])


def _turned(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _key(item: Model, order: list[str]) -> str:
    values = []
    for name in order:
        value = getattr(item, name.lstrip("-"))
        if isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, timedelta):
            value = str(int(value / timedelta(microseconds=1)))
        values.append(str(value))
    return "~".join(values)


def _parse(text: str, model: type[Model], order: list[str]) -> list[Any] | None:
    """The values of a place; None for one that was not made here."""
    parts = text.split("~")
    if len(parts) != len(order):
        return None
    values: list[Any] = []
    try:
        for part, name in zip(parts, order, strict=True):
            field = model._meta.get_field(name.lstrip("-"))
            kind = field.get_internal_type()
            if kind == "DateTimeField":
                moment = datetime.fromisoformat(part)
                if moment.tzinfo is None:
                    return None
                values.append(moment)
            elif kind == "DurationField":
                values.append(timedelta(microseconds=int(part)))
            else:
                values.append(int(part))
                if abs(values[-1]) >= 2**63:
                    return None
    except (ValueError, OverflowError):
        return None
    return values


def _compared(order: list[str], keys: list[Any], sign: str, model: type[Model]) -> Func:
    """(a, b, c) > (x, y, z) in the order of the list, as Postgres answers it from an index on just these.

    Every order here goes in one direction.
    """
    if order[0].startswith("-"):
        sign = sign.translate(str.maketrans("<>", "><"))
    names = [name.lstrip("-") for name in order]
    fields = [model._meta.get_field(name) for name in names]
    here = Func(*[F(name) for name in names], function="row")
    there = Func(
        *[Value(key, output_field=field) for key, field in zip(keys, fields, strict=True)],  # type: ignore[arg-type]
        function="row",
    )
    return Func(
        here,
        there,
        template="%(expressions)s",
        arg_joiner=f" {sign} ",
        output_field=BooleanField(),
    )


def public_id_or_none(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None

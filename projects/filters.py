"""What a list shows: filters, order and place, read from an address and turned into a query that uses an index."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Model, Q, QuerySet, TextField
from django.db.models.functions import Cast

from mturkhub.workers.naming import find_workers
from projects.models import Assignment, Batch, RowResult
from projects.querysets import AssignmentQuerySet
from projects.states import AssignmentStatus, RowProgress

PAGE = 50
MOST_COUNTED = 10_001

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
            worker=str(query.get("worker", ""))[:64].strip(),
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

    def apply(self, batch: Batch) -> AssignmentQuerySet[Assignment]:
        """The answers that match, in order."""
        found = Assignment.objects.filter(batch=batch).filter(_SHOW[self.show])
        if self.worker:
            found = found.filter(worker__in=find_workers(batch.team_id, self.worker))
        if self.text:
            found = found.annotate(
                answer_text=Cast("answer__fields", TextField()), input_text=Cast("row__input", TextField())
            ).filter(Q(answer_text__icontains=self.text) | Q(input_text__icontains=self.text))
        return found.order_by(*SORTS[self.sort][1])


_SHOW = {
    "waiting": Q(status=AssignmentStatus.SUBMITTED, pending_verdict=""),
    "pending": Q(status=AssignmentStatus.SUBMITTED) & ~Q(pending_verdict=""),
    "approved": Q(status=AssignmentStatus.APPROVED),
    "rejected": Q(status=AssignmentStatus.REJECTED),
    "left_out": Q(left_out_at__isnull=False),
    "all": Q(),
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

    def apply(self, batch: Batch) -> QuerySet[RowResult]:
        found: QuerySet[RowResult] = RowResult.objects.filter(batch=batch)
        if self.progress:
            found = found.filter(progress=self.progress)
        if self.text:
            matches = Q(input_text__icontains=self.text) | Q(row__hits__mturk_id=self.text)
            if self.text.isdecimal() and len(self.text) < 10:
                matches |= Q(number=int(self.text))
            found = found.annotate(input_text=Cast("row__input", TextField())).filter(matches).distinct()
        if self.sort == "newest":
            found = found.filter(last_answer_at__isnull=False)
        return found.order_by(*ROW_SORTS[self.sort][1])


# Pages by key -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """Some rows of a list, with the places before and after them for the address."""

    items: list[Any]
    newer: str
    older: str
    # At most MOST_COUNTED.
    total: int

    @property
    def total_words(self) -> str:
        return f"{self.total:,}" if self.total < MOST_COUNTED else "more than 10,000"


def page_of(found: QuerySet[Any], place: str, size: int = PAGE) -> Page:
    """The page that begins after (`>…`) or ends before (`<…`) a place; by key, so it costs the same anywhere."""
    order = [str(name) for name in found.query.order_by]
    backwards = place.startswith("<")
    keys = _parse(place[1:], found.model, order) if place else None
    chosen = found
    if keys is not None:
        chosen = chosen.filter(_beyond(order, keys, backwards=backwards))
    if backwards:
        chosen = chosen.order_by(*[_turned(name) for name in order])
    items = list(chosen[: size + 1])
    has_more = len(items) > size
    items = items[:size]
    if backwards:
        items.reverse()
    has_newer = has_more if backwards else keys is not None
    has_older = True if backwards else has_more
    return Page(
        items=items,
        newer=f"<{_key(items[0], order)}" if items and has_newer else "",
        older=f">{_key(items[-1], order)}" if items and has_older else "",
        total=len(found.order_by().values("pk")[:MOST_COUNTED]),
    )


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
    except (ValueError, OverflowError):
        return None
    return values


def _beyond(order: list[str], keys: list[Any], *, backwards: bool) -> Q:
    """(a, b, c) > (x, y, z), with each column in its own direction."""
    beyond, equal = Q(pk__in=[]), Q()
    for name, value in zip(order, keys, strict=True):
        column = name.lstrip("-")
        is_descending = name.startswith("-") != backwards
        beyond |= equal & Q(**{f"{column}__{'lt' if is_descending else 'gt'}": value})
        equal &= Q(**{column: value})
    return beyond


def public_id_or_none(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None

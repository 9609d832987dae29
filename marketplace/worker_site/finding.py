"""Which groups of HITs a Worker can choose from, and what they pay by the hour."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from marketplace import clock
from marketplace.models import HIT, Assignment, HITType, Worker
from marketplace.models.assignment import TAKEN
from marketplace.models.hit import HITQuerySet
from marketplace.qualified import Record
from marketplace.worker_site.requirements import Shown, show_requirements

# From so many finished answers on, their median time is worth showing.
ENOUGH_FINISHED = 10
# The most recent enough to tell, few enough to sort at once.
_LOOKED_AT = 200


class Order(StrEnum):
    """How the list of groups is sorted."""

    WAGE = "wage"
    REWARD = "reward"
    NEWEST = "newest"
    MOST = "most"

    @property
    def label(self) -> str | Promise:
        return _ORDER_LABELS[self]


_ORDER_LABELS = {
    Order.WAGE: _("Best paid by the hour"),
    Order.REWARD: _("Highest reward"),
    Order.NEWEST: _("Newest"),
    Order.MOST: _("Most HITs left"),
}


@dataclass(frozen=True)
class Group:
    """HITs of one HITType as a Worker finds them."""

    hit_type: HITType
    # HITs this Worker could accept now; counted only where somebody looks.
    left: int
    newest_at: datetime
    # The median from accepting to submitting; None until enough are finished.
    median_time: timedelta | None
    requirements: Sequence[Shown] = ()
    may_preview: bool = True
    may_accept: bool = True

    @property
    def wage(self) -> Decimal | None:
        """Dollars an hour at the median time."""
        if self.median_time is None:
            return None
        seconds = max(Decimal(1), Decimal(self.median_time.total_seconds()))
        return (self.hit_type.reward * 3600 / seconds).quantize(Decimal("0.01"))


def free_hits(worker: Worker | None) -> HITQuerySet:
    """HITs with a slot for this Worker; without one, HITs with a slot for somebody."""
    hits = HIT.objects.assignable(clock.now())
    if worker is None:
        return hits
    taken = Assignment.objects.filter(hit=OuterRef("pk"), worker=worker, state__in=TAKEN)
    return hits.open_to(worker).exclude(Exists(taken))


def find_groups(record: Record, *, search: str = "", order: Order = Order.WAGE) -> list[Group]:
    """Every group with work left that this Worker may find, in order; `search` is looked for in title, requester, keywords."""
    newest = HIT.objects.with_a_free_slot().filter(hit_type=OuterRef("pk")).order_by("-id")
    with_work = _types_with_work(record.worker).select_related("requester")
    wanted = search.casefold().split()
    found = [
        hit_type
        for hit_type in with_work.annotate(newest_at=Subquery(newest.values("created_at")[:1]))
        if all(word in _searched(hit_type) for word in wanted)
        and record.may("discover", hit_type.qualification_requirements)
    ]
    medians = median_times([hit_type.pk for hit_type in found])
    # Counting reads every HIT, so only the order that needs it counts them all.
    left = _count_left(found, record.worker) if order == Order.MOST else {}
    groups = [
        Group(hit_type, left.get(hit_type.pk, 0), hit_type.newest_at, medians.get(hit_type.pk))
        for hit_type in found
    ]
    return sorted(groups, key=lambda group: (_ORDERS[order](group), group.hit_type.pk), reverse=True)


def _types_with_work(worker: Worker | None) -> QuerySet[HITType]:
    # Subqueries of one row, because Postgres would make joins of `exists` and read every HIT there is.
    free = HIT.objects.assignable(clock.now()).filter(hit_type=OuterRef("pk"))
    if worker is not None:
        mine = Assignment.objects.filter(hit=OuterRef("pk"), worker=worker, state__in=TAKEN)
        free = free.open_to(worker).alias(mine=Subquery(mine.values("pk")[:1])).filter(mine=None)
    return HITType.objects.alias(free=Subquery(free.values("pk")[:1])).exclude(free=None)


def _count_left(hit_types: Sequence[HITType], worker: Worker | None) -> dict[int, int]:
    counted = free_hits(worker).filter(hit_type__in=[hit_type.pk for hit_type in hit_types])
    return dict(counted.values_list("hit_type").annotate(Count("pk")).order_by())


def for_page(groups: Sequence[Group], record: Record) -> list[Group]:
    """The groups of a page with what is left in them and what they require of this Worker."""
    hit_types = [group.hit_type for group in groups]
    shown, left = show_requirements(hit_types, record), _count_left(hit_types, record.worker)
    return [
        replace(
            group,
            left=left.get(group.hit_type.pk, 0),
            requirements=shown[group.hit_type.pk],
            may_preview=record.may("preview", group.hit_type.qualification_requirements),
            may_accept=record.may("accept", group.hit_type.qualification_requirements),
        )
        for group in groups
    ]


def _searched(hit_type: HITType) -> str:
    return f"{hit_type.title} {hit_type.requester.name} {hit_type.keywords}".casefold()


_ORDERS: dict[Order, Callable[[Group], Any]] = {
    # New groups after those whose wage is known, by reward.
    Order.WAGE: lambda group: (group.wage or Decimal(-1), group.hit_type.reward),
    Order.REWARD: lambda group: group.hit_type.reward,
    Order.NEWEST: lambda group: group.newest_at,
    Order.MOST: lambda group: group.left,
}


def median_times(hit_type_ids: Sequence[int]) -> dict[int, timedelta]:
    """The median working time of those types that have enough finished answers."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select kind.id, percentile_cont(0.5) within group (order by done.submitted_at - done.accepted_at)
            from unnest(%s::bigint[]) as kind(id)
            cross join lateral (
                select a.submitted_at, a.accepted_at
                from marketplace_assignment a join marketplace_hit h on h.id = a.hit_id
                where h.hit_type_id = kind.id and a.submitted_at is not null
                limit %s
            ) as done
            group by kind.id having count(*) >= %s
            """,
            [list(hit_type_ids), _LOOKED_AT, ENOUGH_FINISHED],
        )
        return dict(cursor.fetchall())

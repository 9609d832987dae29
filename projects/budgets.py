"""What may still be spent. A reservation and what it is for are one transaction; nothing is ever added up anew.

Money of a HIT counts where its batch, its project, whoever published it and its team have a budget, and in the month
in which it was reserved. It is *committed* until MTurk's own word says that a slot is used up or unusable, then *paid*
or free again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import starmap
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import F, Q, QuerySet

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Team
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.money import dollars
from projects.entering import ENTER
from projects.models import HIT, Batch, LedgerReason
from projects.models.budget import ALWAYS, Budget, BudgetPeriod, BudgetScope, BudgetSpend

_RANK = {scope.value: rank for rank, scope in enumerate(BudgetScope)}

# The budgets a batch draws on, and the time each counts. A team's row, locked shared, keeps them from being set meanwhile.
_DRAWN_ON = """
    g.team_id = b.team_id
        and (g.scope = 'team' or g.person_id = {publisher} or g.project_id = b.project_id or g.batch_id = b.id)
"""
_BEGINS_ON = f"case g.period when 'month' then {{month}}::date else '{ALWAYS}'::date end"
_OF_BATCH = _DRAWN_ON.format(publisher="%(publisher)s")
_IN_MONTH = _BEGINS_ON.format(month="%(month)s")
_ORDER = "array_position(array['team', 'person', 'project', 'batch'], g.scope::text), g.id, s.begins_on"


@dataclass(frozen=True)
class Room:
    """A budget and what is left in it, in dollars."""

    budget: Budget
    spend_id: int
    committed: Decimal
    paid: Decimal

    @property
    def free(self) -> Decimal:
        return self.budget.limit - self.committed - self.paid


@dataclass(frozen=True)
class Change:
    """How the money of some HITs of a batch, reserved in one month, has changed."""

    batch_id: int
    month: date
    committed: Decimal
    paid: Decimal


def month_of(team: Team, at: datetime) -> date:
    """The first day of the calendar month in the team's own time zone."""
    return at.astimezone(ZoneInfo(team.time_zone)).date().replace(day=1)


def reserve(batch: Batch, amount: Decimal, *, publisher_id: int | None, now: datetime) -> date:
    """Commit so many dollars against every budget the batch draws on, or raise ActionRefused and commit none.

    Returns the month it counts in, for `HIT.reserved_on`. The budgets stay locked until the transaction ends, so
    two people cannot both spend the last dollar.
    """
    month = month_of(batch.team, now)
    rooms = _lock_rooms(batch, publisher_id, month)
    for room in rooms:
        check_fits(room, amount)
    with connection.cursor() as cursor:
        cursor.execute(
            "update projects_budgetspend set committed = committed + %s where id = any(%s)",
            [amount, [room.spend_id for room in rooms]],
        )
    Batch.objects.filter(pk=batch.pk).update(committed=F("committed") + amount)
    return month


def check_fits(room: Room, amount: Decimal) -> None:
    """Raise, by how much it is too much, unless the amount fits into what is left."""
    if amount > room.free:
        left = dollars(max(room.free, Decimal(0)))
        raise ActionRefused(
            f"This costs {dollars(amount)} and the budget of {_named(room.budget)} has {left} left: "
            f"{dollars(amount - max(room.free, Decimal(0)))} more than it allows. An owner can raise it under Money."
        )


def _named(budget: Budget) -> str:
    whose = "the whole team" if budget.scope == BudgetScope.TEAM else f"“{budget.whose}”"
    return f"{whose} for this month" if budget.period == BudgetPeriod.MONTH else whose


def rooms_of(batch: Batch, *, publisher_id: int | None, now: datetime) -> list[Room]:
    """The budgets a batch would draw on and what is left in each; nothing is locked."""
    return rooms_in(_budgets_of(batch, publisher_id), month=month_of(batch.team, now))


def rooms_in(budgets: Sequence[Budget], *, month: date) -> list[Room]:
    """What is left in each of a team's budgets in that month; nothing is locked."""
    spends = {
        (spend.budget_id, spend.begins_on): spend
        for spend in BudgetSpend.objects.filter(budget__in=budgets, begins_on__in=[ALWAYS, month])
    }
    found = []
    for budget in budgets:
        spend = spends.get((budget.pk, month if budget.period == BudgetPeriod.MONTH else ALWAYS))
        room = Room(budget, 0, Decimal("0.00"), Decimal("0.00"))
        found.append(Room(budget, spend.pk, spend.committed, spend.paid) if spend else room)
    return found


def _budgets_of(batch: Batch, publisher_id: int | None) -> list[Budget]:
    team, person = Q(scope=BudgetScope.TEAM), Q(person_id=publisher_id, person__isnull=False)
    drawn_on = team | person | Q(project_id=batch.project_id) | Q(batch_id=batch.pk)
    found = Budget.objects.filter(drawn_on, team_id=batch.team_id).select_related(
        "person", "project", "batch"
    )
    return sorted(found, key=lambda budget: (_RANK[budget.scope], budget.pk))


def begin_month(batch: Batch, *, publisher_id: int | None, month: date) -> None:
    """Have each monthly budget the batch draws on count this month, so that what is recounted next counts in it."""
    values = {"batch": batch.pk, "publisher": publisher_id, "month": month, "team": batch.team_id}
    with connection.cursor() as cursor:
        cursor.execute("select 1 from accounts_team where id = %(team)s for share", values)
        cursor.execute(
            f"""
            insert into projects_budgetspend (budget_id, begins_on, committed, paid)
            select g.id, {_IN_MONTH}, 0, 0
            from projects_budget g join projects_batch b on b.id = %(batch)s and {_OF_BATCH}
            on conflict do nothing
            """,  # noqa: S608 - constants of ours
            values,
        )


def _lock_rooms(batch: Batch, publisher_id: int | None, month: date) -> list[Room]:
    begin_month(batch, publisher_id=publisher_id, month=month)
    values = {"batch": batch.pk, "publisher": publisher_id, "month": month}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            select g.id, s.id, s.committed, s.paid
            from projects_budget g join projects_batch b on b.id = %(batch)s and {_OF_BATCH}
            join projects_budgetspend s on s.budget_id = g.id and s.begins_on = {_IN_MONTH}
            order by {_ORDER} for update of s
            """,  # noqa: S608 - constants of ours
            values,
        )
        rows = cursor.fetchall()
    budgets = Budget.objects.select_related("person", "project", "batch").in_bulk([row[0] for row in rows])
    return [Room(budgets[budget_id], *rest) for budget_id, *rest in rows]


_LOCK_CHANGED = f"""
    with change as (
        select * from unnest(%(batches)s::bigint[], %(months)s::date[], %(committed)s::numeric[], %(paid)s::numeric[])
            as change (batch_id, month, committed, paid)
    )
    select s.id, change.committed, change.paid
    from change join projects_batch b on b.id = change.batch_id
    join projects_budget g on {_DRAWN_ON.format(publisher="b.published_by_id")}
    join projects_budgetspend s on s.budget_id = g.id and s.begins_on = {_BEGINS_ON.format(month="change.month")}
    order by {_ORDER} for update of s
"""  # noqa: S608 - constants of ours


def apply_changes(changes: Iterable[Change]) -> None:
    """Bring budgets and batches in line with what has become of reserved money. Call it last in a transaction.

    What was reserved before a budget was set, in a month that budget does not know, changes nothing there.
    """
    changes = list(changes)
    if not changes:
        return
    batches = [change.batch_id for change in changes]
    values: dict[str, Any] = {
        "batches": batches,
        "months": [change.month for change in changes],
        "committed": [change.committed for change in changes],
        "paid": [change.paid for change in changes],
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "select 1 from accounts_team where id in (select team_id from projects_batch where id = any(%s)) "
            "order by id for share",
            [batches],
        )
        cursor.execute(_LOCK_CHANGED, values)
        locked = cursor.fetchall()
        for spend_id, committed, paid in locked:
            cursor.execute(
                "update projects_budgetspend set committed = committed + %s, paid = paid + %s where id = %s",
                [committed, paid, spend_id],
            )
        cursor.execute(
            """
            update projects_batch b set committed = b.committed + change.committed, paid = b.paid + change.paid
            from (
                select batch_id, sum(committed) as committed, sum(paid) as paid
                from unnest(%(batches)s::bigint[], %(committed)s::numeric[], %(paid)s::numeric[])
                    as change (batch_id, committed, paid)
                group by batch_id
            ) change where b.id = change.batch_id
            """,
            values,
        )


_RELEASE = f"""
    with old as (
        select h.id, h.team_id, h.connection_id, h.batch_id, h.reserved_on, h.committed, h.price_each, b.reward
        from projects_hit h join projects_batch b on b.id = h.batch_id
        where h.id = any(%(hits)s) and h.committed > 0 order by h.id for update of h
    ), written as (
        update projects_hit h set committed = 0 from old where h.id = old.id
    ), entry as (
        {ENTER}
        select team_id, connection_id, batch_id, case count(*) when 1 then min(id) end, null, null, null, 'released',
            sum(committed), sum(committed / price_each * (price_each - reward)), sum(committed / price_each),
            %(why)s, NOW, %(by)s, %(rule)s
        from old group by team_id, connection_id, batch_id
    )
    select batch_id, reserved_on, -sum(committed), 0 from old group by batch_id, reserved_on
    order by batch_id, reserved_on
"""  # noqa: S608 - constants of ours


def release(hits: QuerySet[HIT], *, by: Actor) -> None:
    """Free what is committed to HITs that are about to be cancelled."""
    values = {
        "hits": list(hits.filter(committed__gt=0).values_list("pk", flat=True)),
        "why": LedgerReason.CANCELLED.value,
        "by": by.user.pk if by.user else None,
        "rule": by.rule,
    }
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE.replace("NOW", clock.now_sql()), values)
        apply_changes(starmap(Change, cursor.fetchall()))


def count_from_now(hits: QuerySet[HIT], month: date) -> None:
    """What was over when it was adopted counts in no budget, until it can cost something again. Recount the rows then."""
    hits.filter(reserved_on=None).update(reserved_on=month)


def check_room(batch: Batch, amount: Decimal, *, months: Iterable[date]) -> None:
    """Raise if what was just committed, so many dollars in these months, is more than a budget allows.

    For what grows HITs that exist: they are changed and recounted first, and a refusal rolls that back.
    """
    if not amount:
        return
    for month in sorted(set(months)):
        for room in _lock_rooms(batch, batch.published_by_id, month):
            if room.free < 0:
                check_fits(replace(room, committed=room.committed - amount), amount)


def begin(budget: Budget, *, now: datetime) -> None:
    """Count what was reserved before the budget was set: the one time that sums are taken.

    The caller has locked the team's row, which every reservation holds shared.
    """
    month = budget.period == BudgetPeriod.MONTH
    begins_on = month_of(budget.team, now) if month else ALWAYS
    target = {
        BudgetScope.TEAM: "true",
        BudgetScope.PERSON: "b.published_by_id = %(target)s",
        BudgetScope.PROJECT: "b.project_id = %(target)s",
        BudgetScope.BATCH: "b.id = %(target)s",
    }[BudgetScope(budget.scope)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            insert into projects_budgetspend (budget_id, begins_on, committed, paid)
            select %(budget)s, %(begins_on)s, coalesce(sum(spent.committed), 0), coalesce(sum(spent.paid), 0)
            from (
                select batch_id, reserved_on, committed, paid from projects_hit
                union all select batch_id, reserved_on, committed, paid from projects_bonus
            ) spent join projects_batch b on b.id = spent.batch_id
            where b.team_id = %(team)s and {target} and (not %(month)s or spent.reserved_on = %(begins_on)s)
            on conflict do nothing
            """,  # noqa: S608 - constants of ours
            {
                "budget": budget.pk,
                "begins_on": begins_on,
                "team": budget.team_id,
                "target": budget.person_id or budget.project_id or budget.batch_id,
                "month": month,
            },
        )

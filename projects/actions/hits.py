"""What a person can ask of HITs that exist: more answers, more time, an early end; for a batch or some of its rows.

Each verb has a plan, which says what it would do and cost, and an action, which does exactly that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Count, DecimalField, Exists, F, IntegerField, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules.connections import balance_seen, check_can_use
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.gateway.fees import LARGE_HIT
from mturkhub.intentions.claiming import ring
from mturkhub.intentions.models import OPEN_STATES, IntentionState, Operation
from projects import budgets, rules, tasks
from projects.actions.batches import locked
from projects.counting import recount
from projects.ending import expire_now, open_hits
from projects.models import HIT, Assignment, Batch, LedgerReason
from projects.models.project import DURATION_MAX, DURATION_MIN
from projects.operating import asked_for, queue_operations, unfinished, waiting_for_another
from projects.querysets import HITQuerySet
from projects.queueing import price_each, queue_further_hits
from projects.states import BatchState, OperationKind

# Per HIT, as CreateAdditionalAssignmentsForHIT takes them.
MOST_ANSWERS = 1_000_000_000


def _hits(batch: Batch, rows: Sequence[int] | None) -> HITQuerySet[HIT]:
    hits = HIT.objects.filter(batch=batch)
    return hits if rows is None else hits.filter(row__number__in=rows)


def _given() -> Coalesce:
    """Of a HIT: how many answers of it are stored here."""
    answers = Assignment.objects.filter(hit=OuterRef("pk")).order_by().values("hit")
    given = Subquery(answers.annotate(number=Count("pk")).values("number"), output_field=IntegerField())
    return Coalesce(given, 0)


def _over(hits: HITQuerySet[HIT], now: datetime) -> HITQuerySet[HIT]:
    """Those of the HITs that have expired and are not about to open again, which would hold their places already."""
    opens = Operation.objects.filter(
        family=OperationKind.EXPIRE.family, state__in=OPEN_STATES, values__expire_at__gt=""
    )
    return hits.filter(expires_at__lte=now).exclude(Exists(opens.filter(target_id=OuterRef("pk"))))


_DOLLARS = DecimalField(max_digits=20, decimal_places=2)


def _free_places(hits: HITQuerySet[HIT]) -> tuple[int, Decimal]:
    """Places of these HITs that nobody has filled, and what they cost when each is."""
    free = hits.annotate(free=F("max_assignments") - _given()).filter(free__gt=0)
    price = Sum(F("free") * F("price_each"), default=Decimal("0.00"), output_field=_DOLLARS)
    found = free.aggregate(places=Sum("free", default=0), price=price)
    return found["places"], found["price"]


def _check_price(batch: Batch, total: Decimal, max_cost: Decimal | None) -> None:
    """The person or script agreed to a sum, and the balance must cover what it has become."""
    rules.check_max_cost(total, max_cost)
    seen = balance_seen(batch.connection, batch.team_id)
    rules.check_balance_covers(batch.connection.balance, total, seen=seen)


# More answers -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Extension:
    """What asking for more answers would do. `total` is dollars, with the fee."""

    answers: int
    # HITs that grow, and rows that get a further HIT because nine cannot grow to ten.
    growing: int
    further: int
    # Expired HITs among the growing: they open again until `until`, with so many places still free in them.
    reopened: int
    places: int
    until: datetime
    total: Decimal
    # HITs among the growing that are just being extended: they grow by this after that.
    waiting: int
    # How often its HITs have been asked to grow: a page that was opened before says another number.
    asked_before: int
    # Rows that have no HIT at the market.
    without_hit: int

    @property
    def is_empty(self) -> bool:
        return not (self.growing or self.further)


def plan_extension(batch: Batch, *, by: Actor, answers: int, rows: Sequence[int] | None = None) -> Extension:
    """The dry run of `extend_answers`."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    rules.check_can_change_hits(batch)
    if not 1 <= answers <= MOST_ANSWERS:
        raise ActionRefused(
            f"Each row can get 1 to {MOST_ANSWERS:,} answers more; this says {answers:,}.", status=400
        )
    now = clock.now()
    newest, growing, further = _extended(batch, answers, rows)
    expired = _over(growing, now)
    grown = growing.aggregate(hits=Count("pk"), price=Sum("price_each", default=Decimal("0.00")))
    places, price = _free_places(expired)
    beyond = further.count()
    if beyond:
        rules.check_can_make_hits(batch)
    total = price + answers * (grown["price"] + price_each(batch, answers) * beyond)
    rows_wanted = batch.rows_total if rows is None else len(set(rows))
    return Extension(
        answers=answers,
        growing=grown["hits"],
        further=beyond,
        reopened=expired.count(),
        places=places,
        until=_until(now, batch.lifetime),
        total=total,
        waiting=waiting_for_another(growing, OperationKind.ADD_ANSWERS).count(),
        asked_before=asked_before(batch),
        without_hit=max(0, rows_wanted - newest.count()),
    )


def asked_before(batch: Batch) -> int:
    """How many times a HIT of the batch was asked to grow, or made beside one that could not."""
    grown = Operation.objects.filter(subject_id=batch.pk, family=OperationKind.ADD_ANSWERS.family).count()
    return grown + HIT.objects.filter(batch=batch, round__gt=0).count()


def _extended(
    batch: Batch, answers: int, rows: Sequence[int] | None
) -> tuple[HITQuerySet[HIT], HITQuerySet[HIT], HITQuerySet[HIT]]:
    """The newest HIT of each row; of these what grows, and what would cross the border from nine to ten.

    What has been asked for counts, whether or not the HIT has grown yet.
    """
    at_market = _hits(batch, rows).at_the_market()
    newer = HIT.objects.at_the_market().filter(row=OuterRef("row"), pk__gt=OuterRef("pk"))
    newest = at_market.exclude(Exists(newer))
    asked = newest.alias(asked=asked_for())
    crosses = Q(asked__lt=LARGE_HIT, asked__gte=LARGE_HIT - answers)
    return newest, asked.exclude(crosses), asked.filter(crosses)


def extend_answers(
    batch: Batch,
    *,
    by: Actor,
    answers: int,
    rows: Sequence[int] | None = None,
    max_cost: Decimal | None = None,
    seen: int | None = None,
) -> Extension:
    """Ask for so many answers more of each row, or of the rows with these numbers; returns what was done.

    HITs grow, each after what was asked of it before; where nine would become ten the row gets a further HIT.
    Expired ones open again for the batch's lifetime. Refused if it costs more than `max_cost` dollars, or if somebody
    has asked for more since the plan said how often that was, which is `seen`.
    """
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        check_can_use(batch.connection, batch.team_id)
        plan = plan_extension(batch, by=by, answers=answers, rows=rows)
        if plan.is_empty:
            raise ActionRefused("None of these rows has a HIT that can grow now. Nothing was changed.")
        if seen is not None and plan.asked_before != seen:
            raise ActionRefused(
                "More answers have been asked for since this page was opened. Nothing was asked for twice; look at "
                "the numbers again."
            )
        _check_price(batch, plan.total, max_cost)
        _, growing, further = _extended(batch, answers, rows)
        now = clock.now()
        expired = list(_over(growing, now).values_list("pk", flat=True))
        changed = HIT.objects.filter(Q(pk__in=growing.values("pk")) | Q(pk__in=further.values("pk")))
        month = budgets.month_of(batch.team, now)
        budgets.count_from_now(changed, month)
        rows_changed = dict(changed.values_list("row_id", "reserved_on"))
        if plan.further:
            budgets.begin_month(batch, publisher_id=batch.published_by_id, month=month)
            queue_further_hits(further, batch, answers=answers, by=by, month=month, now=now)
            batch.answers_extra += plan.further * answers
            if batch.state == BatchState.LIVE:
                batch.state = BatchState.PUBLISHING
            batch.save(update_fields=["answers_extra", "state"])
            ring(tasks.publish_batch, batch.pk)
        # After the further HITs: with what is asked for here, some of the growing would seem to be at the border.
        queue_operations(growing, OperationKind.ADD_ANSWERS, answers, by=by)
        if expired:
            reopened = HIT.objects.filter(pk__in=expired)
            queue_operations(reopened, OperationKind.EXPIRE, plan.until.isoformat(), by=by)
        recount(rows_changed, by=by, why=LedgerReason.MORE_ANSWERS)
        budgets.check_room(batch, plan.total, months=[*filter(None, rows_changed.values()), month])
        record(
            by,
            "batch.extended",
            batch,
            team_id=batch.team_id,
            more=answers,
            extended=plan.growing + plan.further,
            further=plan.further,
            total=str(plan.total),
        )
        ring(tasks.send_due_operations, batch.connection_id)
    return plan


# More time ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MoreTime:
    """What opening HITs until a later time would do. `total` is dollars, for places that open again."""

    until: datetime
    # HITs with free places that are still open, and those that have expired.
    still_open: int
    expired: int
    # Free places of the expired ones that are not about to open again anyway.
    places: int
    total: Decimal
    # HITs that are just being changed: they are given the time afterwards.
    waiting: int

    @property
    def hits(self) -> int:
        return self.still_open + self.expired


def plan_time(batch: Batch, *, by: Actor, open_for: timedelta, rows: Sequence[int] | None = None) -> MoreTime:
    """The dry run of `extend_time`."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    rules.check_can_change_hits(batch)
    if not DURATION_MIN <= open_for <= DURATION_MAX:
        raise ActionRefused("MTurk lets a HIT be open for 30 seconds to 365 days.", status=400)
    now = clock.now()
    until = _until(now, open_for)
    chosen = _given_time(batch, until, rows)
    expired = chosen.filter(expires_at__lte=now)
    places, price = _free_places(_over(chosen, now))
    hits, over = chosen.count(), expired.count()
    return MoreTime(
        until=until,
        still_open=hits - over,
        expired=over,
        places=places,
        total=price,
        waiting=waiting_for_another(chosen, OperationKind.EXPIRE).count(),
    )


def _until(now: datetime, open_for: timedelta) -> datetime:
    return (now + open_for).replace(microsecond=0)


def _given_time(batch: Batch, until: datetime, rows: Sequence[int] | None) -> HITQuerySet[HIT]:
    """HITs with free places that end before that."""
    hits = _hits(batch, rows).at_the_market().alias(given=_given())
    return hits.filter(max_assignments__gt=F("given"), expires_at__lt=until)


def extend_time(
    batch: Batch,
    *,
    by: Actor,
    open_for: timedelta,
    rows: Sequence[int] | None = None,
    max_cost: Decimal | None = None,
) -> MoreTime:
    """Let HITs with free places be open for so long from now, expired ones again; none ends sooner than before."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        check_can_use(batch.connection, batch.team_id)
        plan = plan_time(batch, by=by, open_for=open_for, rows=rows)
        if not plan.hits:
            raise ActionRefused(
                "No HIT with free places ends before that. Nothing was changed; choose a longer time."
            )
        _check_price(batch, plan.total, max_cost)
        chosen = _given_time(batch, plan.until, rows)
        budgets.count_from_now(chosen, budgets.month_of(batch.team, clock.now()))
        rows_changed = dict(chosen.values_list("row_id", "reserved_on"))
        queue_operations(chosen, OperationKind.EXPIRE, plan.until.isoformat(), by=by)
        recount(rows_changed, by=by, why=LedgerReason.OPENED_AGAIN)
        budgets.check_room(batch, plan.total, months=filter(None, rows_changed.values()))
        record(
            by,
            "batch.given_time",
            batch,
            team_id=batch.team_id,
            given=plan.hits,
            until=f"{plan.until:%Y-%m-%d %H:%M UTC}",
            total=str(plan.total),
        )
        ring(tasks.send_due_operations, batch.connection_id)
    return plan


# An early end -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EarlyEnd:
    """What expiring HITs now would do. `released` is dollars, held for places that nobody has filled."""

    hits: int
    places: int
    released: Decimal


def plan_early_end(batch: Batch, *, by: Actor, rows: Sequence[int] | None = None) -> EarlyEnd:
    """The dry run of `expire_early`, and of the first thing that cancelling and closing do."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    hits = open_hits(_hits(batch, rows))
    places, price = _free_places(hits)
    return EarlyEnd(hits=hits.count(), places=places, released=price)


def expire_early(batch: Batch, *, by: Actor, rows: Sequence[int] | None = None) -> int:
    """Let nobody accept these HITs any more; whoever has one may finish. Returns how many HITs it is."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        rules.check_can_change_hits(batch)
        hits = expire_now(_hits(batch, rows), by=by)
        if not hits:
            raise ActionRefused("None of these HITs can be accepted any more. Nothing was changed.")
        record(by, "batch.expired", batch, team_id=batch.team_id, live=hits)
        ring(tasks.send_due_operations, batch.connection_id)
    return hits


# What failed --------------------------------------------------------------------------------------


def retry_failed_operations(batch: Batch, *, by: Actor) -> int:
    """Send again what MTurk refused, each with the same token; returns how many."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        again = unfinished(batch).filter(state=IntentionState.FAILED)
        targets = HIT.objects.filter(pk__in=again.values("target_id"))
        months = dict(targets.values_list("row_id", "reserved_on"))
        number = again.update(
            state=IntentionState.QUEUED,
            due_at=clock.now(),
            attempts=0,
            outcome="",
            lease_until=None,
            # Others of the same HIT may be on their way, and more than one may have failed.
            is_next=F("adds_up"),
        )
        _check_any(number)
        before = batch.committed
        recount(months, by=by, why=LedgerReason.TRIED_AGAIN)
        batch.refresh_from_db(fields=["committed"])
        budgets.check_room(batch, batch.committed - before, months=filter(None, months.values()))
        record(by, "batch.retried_changes", batch, team_id=batch.team_id, changes=number)
        ring(tasks.send_due_operations, batch.connection_id)
    return number


def drop_failed_operations(batch: Batch, *, by: Actor) -> int:
    """Let be what MTurk refused; returns how many."""
    check_can(by, Permission.BATCH_PUBLISH, batch.team_id)
    with transaction.atomic():
        batch = locked(batch)
        number = (
            unfinished(batch)
            .filter(state=IntentionState.FAILED)
            .update(state=IntentionState.CANCELLED, lease_until=None)
        )
        _check_any(number)
        record(by, "batch.dropped_failed", batch, team_id=batch.team_id, changes=number)
    return number


def _check_any(number: int) -> None:
    if not number:
        raise ActionRefused("No change of this batch’s HITs has failed.")

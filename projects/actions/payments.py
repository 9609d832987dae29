"""What a person can ask to be paid on top of rewards."""

from decimal import Decimal

from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.accounts.rules.connections import balance_seen, check_can_use
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.gateway.fees import bonus_fee
from mturkhub.intentions.claiming import ring
from mturkhub.intentions.models import IntentionState
from projects import budgets, rules, tasks
from projects.models import Assignment, Bonus
from projects.spending import recount_bonuses


def bonus_price(assignment: Assignment, amount: Decimal) -> Decimal:
    """What a bonus of so many dollars costs, with the market's fee."""
    return amount + bonus_fee(amount, assignment.connection.fee_schedule)


def send_bonus(assignment: Assignment, *, by: Actor, amount: Decimal, reason: str) -> Bonus:
    """Pay a Worker so many dollars for this answer on top of its reward, with words they will read; MTurk hears of
    it after commit, and it cannot be taken back then."""
    check_can(by, Permission.BONUS_SEND, assignment.team_id)
    reason = reason.replace("\r\n", "\n").strip()
    rules.check_bonus(amount, reason)
    with transaction.atomic():
        assignment = _locked(assignment)
        rules.check_is_at_market(assignment.batch)
        connection = assignment.connection
        check_can_use(connection, assignment.team_id)
        _check_no_equal_one(assignment, amount, reason)
        total = bonus_price(assignment, amount)
        rules.check_balance_covers(
            connection.balance, total, seen=balance_seen(connection, assignment.team_id)
        )
        now = clock.now()
        batch = assignment.batch
        month = budgets.month_of(batch.team, now)
        budgets.begin_month(batch, publisher_id=batch.published_by_id, month=month)
        bonus = Bonus.objects.create(
            team_id=assignment.team_id,
            connection=connection,
            batch_id=assignment.batch_id,
            assignment=assignment,
            amount=amount,
            reason=reason,
            price=total,
            reserved_on=month,
            due_at=now,
            by=by.user,
            by_rule=by.rule,
        )
        recount_bonuses([bonus.pk])
        budgets.check_room(batch, total, months=[month])
        record(
            by,
            "assignment.bonus",
            assignment,
            team_id=assignment.team_id,
            batch=assignment.batch_id,
            amount=str(amount),
            total=str(total),
            reason=reason,
        )
        ring(tasks.send_due_bonuses, connection.pk)
    return bonus


def retry_bonus(bonus: Bonus, *, by: Actor) -> Bonus:
    """Send a bonus again that MTurk refused, with the same token."""
    check_can(by, Permission.BONUS_SEND, bonus.team_id)
    with transaction.atomic():
        assignment = _locked(bonus.assignment)
        bonus = Bonus.objects.select_for_update().get(pk=bonus.pk)
        if bonus.state != IntentionState.FAILED:
            raise ActionRefused(f"This bonus is {bonus.state}. Only one that was refused is sent again.")
        check_can_use(assignment.connection, bonus.team_id)
        _check_no_equal_one(assignment, bonus.amount, bonus.reason)
        bonus.state, bonus.due_at, bonus.attempts = IntentionState.QUEUED.value, clock.now(), 0
        bonus.outcome, bonus.lease_until = "", None
        bonus.save(update_fields=["state", "due_at", "attempts", "outcome", "lease_until"])
        if bonus.reserved_on:
            recount_bonuses([bonus.pk], by=by.user)
            budgets.check_room(assignment.batch, bonus.price, months=[bonus.reserved_on])
        record(
            by,
            "assignment.bonus_retried",
            assignment,
            team_id=bonus.team_id,
            batch=bonus.batch_id,
            amount=str(bonus.amount),
        )
        ring(tasks.send_due_bonuses, bonus.connection_id)
    return bonus


def _check_no_equal_one(assignment: Assignment, amount: Decimal, reason: str) -> None:
    if assignment.bonuses.open().filter(amount=amount, reason=reason).exists():
        raise ActionRefused(
            "The same bonus is on its way already; nothing was sent twice. Wait until MTurk has confirmed it, or give "
            "another reason."
        )


def _locked(assignment: Assignment) -> Assignment:
    locked = Assignment.objects.select_for_update(no_key=True, of=("self",))
    return locked.select_related("connection", "batch__team").get(pk=assignment.pk)

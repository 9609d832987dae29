"""Moves dollars between a requester's accounts: an entry per move, and the balance they add up to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F

from marketplace.models import HIT, Assignment, Balance, LedgerEntry
from marketplace.models.ledger import Account


class InsufficientFunds(Exception):
    """The requester's available balance does not cover what was asked; nothing was moved."""


@dataclass(frozen=True, slots=True)
class Move:
    """Dollars on their way from one account to another, and what they are for."""

    source: Account
    target: Account
    amount: Decimal
    hit: HIT | None = None
    assignment: Assignment | None = None


def post(requester_id: int, moves: Sequence[Move], *, now: datetime) -> None:
    """Write down the moves and change the balance, or raise InsufficientFunds.

    Call it last in a transaction: every creation and decision of a requester needs this one balance row, and
    it stays locked until the commit.
    """
    moves = [move for move in moves if move.amount]
    if not moves:
        return
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            requester_id=requester_id,
            source=move.source,
            target=move.target,
            amount=move.amount,
            hit=move.hit,
            assignment=move.assignment,
            posted_at=now,
        )
        for move in moves
    )
    available, held = _change(moves, Account.AVAILABLE), _change(moves, Account.HELD)
    # The condition and the change are one statement, so that two creations cannot both see the last dollar.
    changed = Balance.objects.filter(requester_id=requester_id, available__gte=-available).update(
        available=F("available") + available, held=F("held") + held
    )
    if not changed:
        raise InsufficientFunds


def _change(moves: Sequence[Move], account: Account) -> Decimal:
    gained = sum((move.amount for move in moves if move.target == account), Decimal(0))
    lost = sum((move.amount for move in moves if move.source == account), Decimal(0))
    return gained - lost

"""Moves dollars between a requester's accounts: an entry per move, and the balance they add up to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import connection

from marketplace.models import HIT, Assignment
from marketplace.models.ledger import Account

# Entries and balance in one statement: the row that every creation of a requester needs is locked for no round
# trip but the commit, and of two creations only one can see the last dollar.
_POST = """
    with entries as (
        insert into marketplace_ledgerentry
            (requester_id, source, target, amount, hit_id, assignment_id, posted_at)
        select %s, move.*, %s
        from unnest(%s::text[], %s::text[], %s::numeric[], %s::bigint[], %s::bigint[]) as move
    )
    update marketplace_balance set available = available + %s, held = held + %s
    where requester_id = %s and available >= -%s
"""


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
    """Write down the moves and change the balance, or raise InsufficientFunds; a fixed balance is made to suffice.

    Call it last in a transaction: every creation and decision of a requester needs this one balance row, and
    it stays locked until the commit.
    """
    moves = [move for move in moves if move.amount]
    if not moves:
        return
    if settings.FIXED_BALANCE and (missing := -_change(moves, Account.AVAILABLE)) > 0:
        moves.insert(0, Move(Account.OUTSIDE, Account.AVAILABLE, missing))
    available, held = _change(moves, Account.AVAILABLE), _change(moves, Account.HELD)
    with connection.cursor() as cursor:
        cursor.execute(
            _POST,
            [
                requester_id,
                now,
                [move.source.value for move in moves],
                [move.target.value for move in moves],
                [move.amount for move in moves],
                [move.hit.pk if move.hit else None for move in moves],
                [move.assignment.pk if move.assignment else None for move in moves],
                available,
                held,
                requester_id,
                available,
            ],
        )
        if not cursor.rowcount:
            raise InsufficientFunds


def _change(moves: Sequence[Move], account: Account) -> Decimal:
    gained = sum((move.amount for move in moves if move.target == account), Decimal(0))
    lost = sum((move.amount for move in moves if move.source == account), Decimal(0))
    return gained - lost

"""Pays Workers extra, and lists what was paid."""

from decimal import Decimal

from django.db import transaction

from marketplace import ledger
from marketplace.call import Call, Members
from marketplace.errors import (
    assignment_does_not_exist,
    hit_does_not_exist,
    invalid,
    invalid_value,
    token_already_processed,
)
from marketplace.ledger import InsufficientFunds, Move
from marketplace.models import Assignment, Bonus
from marketplace.models.ledger import Account
from marketplace.models.request_token import TokenFamily
from marketplace.money import CENT, bonus_fee
from marketplace.operations.hits import visible_hits
from marketplace.paging import DEFAULT_MAX_RESULTS, next_token, read_token
from marketplace.tokens import claim_token

MAX_REASON = 2000
# More than any balance can hold.
_TOO_MUCH = Decimal(10) ** 11


@transaction.atomic
def send_bonus(call: Call, members: Members) -> None:
    """Pay a Worker extra for work they submitted, decided or not, even on a HIT that is deleted."""
    amount = Decimal(members["BonusAmount"])
    if amount < CENT:
        raise invalid_value("BonusAmount", members["BonusAmount"])
    if not members["Reason"].strip() or len(members["Reason"]) > MAX_REASON:
        raise invalid_value("Reason", members["Reason"])
    token = members.get("UniqueRequestToken")
    known = claim_token(call, TokenFamily.SEND_BONUS, token, outcome=call.request_id)
    if known is not None:
        raise token_already_processed(str(token), known)
    assignment = _find_submitted(call, members["AssignmentId"])
    if assignment.worker.mturk_id != members["WorkerId"]:
        raise assignment_does_not_exist(members["AssignmentId"])
    if amount > _TOO_MUCH:
        raise InsufficientFunds
    fee = bonus_fee(amount)
    Bonus.objects.create(
        assignment=assignment, amount=amount, fee=fee, reason=members["Reason"], granted_at=call.now
    )
    moves = [
        Move(Account.AVAILABLE, target, dollars, assignment.hit, assignment)
        for target, dollars in ((Account.WORKERS, amount), (Account.FEES, fee))
    ]
    ledger.post(call.requester_id, moves, now=call.now)


def list_bonus_payments(call: Call, members: Members) -> Members:
    """Bonuses of a HIT or of an Assignment in the order they were paid; of both where both are given."""
    if "HITId" not in members and "AssignmentId" not in members:
        raise invalid("Either HITId or AssignmentId must be given.")
    position = read_token(call, members)
    bonuses = Bonus.objects.select_related("assignment__worker")
    if "HITId" in members:
        hit = visible_hits(call.requester_id, call.now).filter(mturk_id=members["HITId"]).first()
        if hit is None:
            raise hit_does_not_exist(members["HITId"])
        bonuses = bonuses.filter(assignment__hit=hit)
    if "AssignmentId" in members:
        bonuses = bonuses.filter(assignment=_find_submitted(call, members["AssignmentId"]))
    if position is not None:
        bonuses = bonuses.filter(id__gt=position)
    page = list(bonuses.order_by("id")[: members.get("MaxResults", DEFAULT_MAX_RESULTS)])
    return {
        "NumResults": len(page),
        "BonusPayments": [_show(bonus) for bonus in page],
        "NextToken": next_token(call, members, page[-1].pk) if page else None,
    }


def _find_submitted(call: Call, assignment_id: str) -> Assignment:
    assignment = (
        Assignment.objects.select_related("worker", "hit")
        .filter(mturk_id=assignment_id, hit__requester=call.requester_id, submitted_at__isnull=False)
        .first()
    )
    if assignment is None:
        raise assignment_does_not_exist(assignment_id)
    return assignment


def _show(bonus: Bonus) -> Members:
    return {
        "WorkerId": bonus.assignment.worker.mturk_id,
        "BonusAmount": f"{bonus.amount:.2f}",
        "AssignmentId": bonus.assignment.mturk_id,
        "Reason": bonus.reason,
        "GrantTime": bonus.granted_at,
    }

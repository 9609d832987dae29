"""How bonuses are sent, looked up after an unknown outcome, and read anew after a restore."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import F

from mturkhub.accounts.models import Connection
from mturkhub.accounts.rules.connections import check_can_use
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.fees import bonus_fee
from mturkhub.gateway.records import RemoteBonus
from mturkhub.intentions.claiming import (
    GROUP,
    Claim,
    Outcome,
    claim,
    give_back,
    mark_sending,
    record_outcomes,
    renew,
)
from mturkhub.intentions.models import IntentionState
from mturkhub.intentions.settling import after_error, line_is_down, settles, token_is_live
from projects.budgets import month_of
from projects.collecting import LIST_LAG
from projects.models import HIT, Assignment, Batch, Bonus
from projects.querysets import BonusQuerySet
from projects.spending import recount_bonuses

CHUNK = 256
# Our clock and MTurk's may differ by so much.
CLOCKS_DIFFER = timedelta(minutes=5)
READ_BY = "reading bonuses after a restore"

# What two bonuses must share to be the same to whoever compares them: AssignmentId, amount, words of the reason.
Alike = tuple[str, Decimal, str]


def _alike(assignment_id: str, amount: Decimal, reason: str) -> Alike:
    return assignment_id, amount, " ".join(reason.split())


def _key(bonus: Bonus) -> Alike:
    return _alike(bonus.assignment.mturk_id, bonus.amount, bonus.reason)


def _remote_key(remote: RemoteBonus) -> Alike:
    return _alike(remote.assignment_id, remote.amount, remote.reason)


# Sending ------------------------------------------------------------------------------------------


def send_bonuses(connection: Connection, *, gateway: MTurkGateway) -> bool:
    """Send up to CHUNK queued bonuses; returns whether more can be sent at once.

    After a restore none is sent before the bonuses of every kept HIT were read.
    """
    if HIT.objects.filter(connection=connection, bonuses_unread=True).exists():
        return False
    due = Bonus.objects.filter(connection=connection).select_related("assignment__worker")
    held = claim(due, limit=CHUNK)
    rows = _refuse_taken_back(connection, held.rows)
    for begin in range(0, len(rows), GROUP):
        renew(held, rows[begin:])
        outcomes = _send(mark_sending(held, rows[begin : begin + GROUP]), held, gateway)
        store_outcomes(outcomes)
        waiting = [each for each in outcomes if each.state in {IntentionState.QUEUED, IntentionState.UNKNOWN}]
        if line_is_down(len(waiting), len(outcomes)):
            give_back(held, rows[begin + GROUP :])
            return False
    return len(held.rows) == CHUNK


def _refuse_taken_back(connection: Connection, rows: Sequence[Bonus]) -> list[Bonus]:
    refused: dict[int, str] = {}
    for team_id in {row.team_id for row in rows}:
        try:
            check_can_use(connection, team_id)
        except ActionRefused as refusal:
            refused[team_id] = refusal.sentence
    failed = [
        Outcome(row.pk, IntentionState.FAILED, refused[row.team_id]) for row in rows if row.team_id in refused
    ]
    with transaction.atomic():
        recount_bonuses(record_outcomes(Bonus, failed, only=[IntentionState.QUEUED]))
    return [row for row in rows if row.team_id not in refused]


@dataclass(frozen=True)
class Known:
    """What is known here of bonuses like one that may have been paid: how many are, and from when on they count."""

    since: datetime
    paid: int


@dataclass(frozen=True)
class Sending:
    """What a thread needs to send or look up a bonus; it must not touch the database."""

    gateway: MTurkGateway
    now: datetime
    # By the key of each bonus that may have been sent before.
    known: Mapping[int, Known]


def _sending(bonuses: Sequence[Bonus], gateway: MTurkGateway) -> Sending:
    sent = [bonus for bonus in bonuses if bonus.first_sent_at]
    paid = Bonus.objects.paid().filter(assignment__in=[bonus.assignment_id for bonus in sent])
    confirmed = list(paid.select_related("assignment").order_by("-last_sent_at"))
    return Sending(gateway, clock.now(), {bonus.pk: _known(bonus, confirmed) for bonus in sent})


def _known(bonus: Bonus, confirmed: Sequence[Bonus]) -> Known:
    """Count back to before the first send, and further where another one's sends reach over that time."""
    since, paid = _first_sent(bonus) - CLOCKS_DIFFER, 0
    for other in confirmed:
        if _key(other) == _key(bonus) and _last_sent(other) >= since:
            since, paid = min(since, _first_sent(other) - CLOCKS_DIFFER), paid + 1
    return Known(since, paid)


def _first_sent(bonus: Bonus) -> datetime:
    return bonus.first_sent_at or bonus.created_at


def _last_sent(bonus: Bonus) -> datetime:
    return bonus.last_sent_at or bonus.created_at


def _send(bonuses: Sequence[Bonus], held: Claim[Bonus], gateway: MTurkGateway) -> list[Outcome]:
    if not bonuses:
        return []
    sending = _sending(bonuses, gateway)

    def send(bonus: Bonus) -> Outcome:
        if not held.may_start:
            return Outcome(bonus.pk, IntentionState.QUEUED, "Held up; sent again.")
        try:
            return _send_one(bonus, sending)
        except MTurkError as error:
            return after_error(bonus.pk, error, attempts=bonus.attempts + 1)

    with ThreadPoolExecutor(max_workers=len(bonuses)) as pool:
        return list(pool.map(send, bonuses))


def _send_one(bonus: Bonus, sending: Sending) -> Outcome:
    """SendBonus; an old token proves nothing, so ListBonusPayments is asked first."""
    if not token_is_live(bonus.first_sent_at, sending.now):
        looked = look_up(bonus, sending)
        if looked.state != IntentionState.QUEUED:
            return looked
    try:
        sending.gateway.send_bonus(
            bonus.assignment.mturk_id,
            worker_id=bonus.assignment.worker.mturk_id,
            amount=bonus.amount,
            reason=bonus.reason,
            unique_request_token=str(bonus.token),
        )
    except MTurkError as error:
        if not error.is_repeat:
            raise
    return Outcome(bonus.pk, IntentionState.DONE)


def look_up(bonus: Bonus, sending: Sending) -> Outcome:
    """Whether MTurk has paid more bonuses like this one than are known here; QUEUED when it has not."""
    payments = sending.gateway.list_bonus_payments(assignment_id=bonus.assignment.mturk_id)
    known = sending.known[bonus.pk]
    alike = [each for each in payments if _remote_key(each) == _key(bonus) and each.granted_at >= known.since]
    if len(alike) > known.paid:
        return Outcome(bonus.pk, IntentionState.DONE, "Found among the bonuses MTurk has paid.")
    if bonus.last_sent_at and sending.now - bonus.last_sent_at < LIST_LAG:
        return Outcome(bonus.pk, IntentionState.UNKNOWN, "Not seen at MTurk yet; looking again.")
    text = "MTurk has not paid it; sent again."
    return Outcome(bonus.pk, IntentionState.QUEUED, text, never_happened=True)


@settles(Bonus)
def settle_bonuses(connection: Connection, gateway: MTurkGateway) -> int:
    """Look up unknown bonuses; one whose token still lives is sent again with it, as MTurk then tells."""
    unknown = Bonus.objects.filter(connection=connection, state=IntentionState.UNKNOWN)
    bonuses = list(unknown.select_related("assignment").order_by("last_sent_at", "pk")[:CHUNK])
    if not bonuses:
        return 0
    sending = _sending(bonuses, gateway)
    with ThreadPoolExecutor(max_workers=min(GROUP, len(bonuses))) as pool:
        outcomes = list(pool.map(lambda bonus: _settled(bonus, sending), bonuses))
    settled = [each for each in outcomes if each.state != IntentionState.UNKNOWN]
    store_outcomes(settled)
    return len(settled)


def _settled(bonus: Bonus, sending: Sending) -> Outcome:
    if token_is_live(bonus.first_sent_at, sending.now):
        text = "No answer came; asking again with the same token."
        return Outcome(bonus.pk, IntentionState.QUEUED, text)
    try:
        return look_up(bonus, sending)
    except MTurkError as error:
        return Outcome(bonus.pk, IntentionState.UNKNOWN, f"{error.sentence}\n{error.details}")


def store_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Store what came of bonuses, and what their batches have paid, in one transaction."""
    if not outcomes:
        return
    with transaction.atomic():
        settled = record_outcomes(Bonus, outcomes, only=[IntentionState.SENDING, IntentionState.UNKNOWN])
        done = {each.pk for each in outcomes if each.state == IntentionState.DONE}.intersection(settled)
        _note_paid(Bonus.objects.filter(pk__in=done).select_related("connection"))
        recount_bonuses(settled)


def _note_paid(bonuses: Iterable[Bonus]) -> None:
    paid: dict[int, Decimal] = {}
    for bonus in bonuses:
        price = bonus.amount + bonus_fee(bonus.amount, bonus.connection.fee_schedule)
        paid[bonus.batch_id] = paid.get(bonus.batch_id, Decimal(0)) + price
    for batch_id, amount in sorted(paid.items()):
        Batch.objects.filter(pk=batch_id).update(bonuses_paid=F("bonuses_paid") + amount)


# After a restore ----------------------------------------------------------------------------------


def read_bonuses(connection: Connection, *, gateway: MTurkGateway) -> bool:
    """Read what MTurk has paid for up to CHUNK HITs and add what is not known here; returns whether more are left.

    Raises MTurkError.
    """
    unread = HIT.objects.filter(connection=connection, bonuses_unread=True).order_by("pk")
    for hit in unread[:CHUNK]:
        try:
            payments = gateway.list_bonus_payments(hit_id=str(hit.mturk_id))
        except MTurkError as error:
            if not error.is_gone:
                raise
            payments = []
        _add_unknown(hit, payments)
    return unread.exists()


def _add_unknown(hit: HIT, payments: Sequence[RemoteBonus]) -> None:
    """Add bonuses that MTurk has paid and nobody here knows of; a HIT whose answers are not all here is read again."""
    with transaction.atomic():
        assignments = {
            each.mturk_id: each
            for each in Assignment.objects.filter(hit=hit)
            .select_related("connection", "team")
            .select_for_update(no_key=True, of=("self",))
        }
        here = Bonus.objects.filter(assignment__hit=hit).select_related("assignment")
        # What may have been sent and waits to be looked up counts as known; what never was does not.
        known = Counter(_key(each) for each in here if _may_be_paid(each))
        made = []
        for remote in payments:
            key = _remote_key(remote)
            if known[key]:
                known[key] -= 1
            elif remote.assignment_id in assignments:
                made.append(_paid_before(assignments[remote.assignment_id], remote))
        for bonus in made:
            bonus.save()
        _overtake(here, {_key(bonus) for bonus in made})
        _note_paid(made)
        recount_bonuses([each.pk for each in made] + [each.pk for each in here])
        is_read = all(remote.assignment_id in assignments for remote in payments)
        if is_read:
            HIT.objects.filter(pk=hit.pk).update(bonuses_unread=False)


def _may_be_paid(bonus: Bonus) -> bool:
    if bonus.state == IntentionState.QUEUED:
        return bonus.first_sent_at is not None
    return bonus.state in {IntentionState.DONE, IntentionState.SENDING, IntentionState.UNKNOWN}


def _paid_before(assignment: Assignment, remote: RemoteBonus) -> Bonus:
    return Bonus(
        team_id=assignment.team_id,
        connection_id=assignment.connection_id,
        batch_id=assignment.batch_id,
        assignment=assignment,
        amount=remote.amount,
        reason=remote.reason or "–",
        price=remote.amount + bonus_fee(remote.amount, assignment.connection.fee_schedule),
        reserved_on=month_of(assignment.team, remote.granted_at),
        state=IntentionState.DONE,
        due_at=remote.granted_at,
        first_sent_at=remote.granted_at,
        last_sent_at=remote.granted_at,
        by_rule=READ_BY,
        outcome="Paid after the backup was made; found at MTurk.",
    )


def _overtake(here: BonusQuerySet[Bonus], found: set[Alike]) -> None:
    """Whoever asked anew for what had been paid already is asked whether it shall be paid twice."""
    for bonus in here.filter(state=IntentionState.QUEUED, first_sent_at=None):
        if _key(bonus) in found:
            bonus.state, bonus.lease_until = IntentionState.OVERTAKEN, None
            bonus.outcome = "The same bonus had been paid before this database was restored. Send it again if it was meant twice."
            bonus.save(update_fields=["state", "lease_until", "outcome"])

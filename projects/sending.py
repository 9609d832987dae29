"""How this room's intentions are sent, and what becomes of them after an unknown outcome.

HITs are created in `publishing.py`; here is what a look at MTurk makes of an unknown one. Decisions are sent and
looked up here.
"""

import itertools
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from mturkhub.common.many_rows import update_many
from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.records import RemoteAssignment
from mturkhub.intentions.claiming import (
    GROUP,
    TURN,
    Claim,
    Outcome,
    claim,
    give_back,
    mark_sending,
    record_outcomes,
    renew_old,
)
from mturkhub.intentions.models import IntentionState
from mturkhub.intentions.settling import after_error, line_is_down, settles, token_is_live
from projects.counting import recount
from projects.models import HIT, Assignment, Batch, Decision
from projects.querysets import DecisionQuerySet
from projects.states import AssignmentStatus, BatchState, Verdict
from projects.storing import note_remote_status

log = logging.getLogger(__name__)

CHUNK = 256
WANTED = {Verdict.APPROVE.value: AssignmentStatus.APPROVED, Verdict.REJECT.value: AssignmentStatus.REJECTED}


# HITs ---------------------------------------------------------------------------------------------


@settles(HIT)
def settle_hits(connection: Connection, gateway: MTurkGateway) -> int:
    """Queue unknown HITs whose token still lives: sent again with it, MTurk says whether they exist.

    The others wait for two complete sweeps; see `collecting.py`.
    """
    now = clock.now()
    unknown = HIT.objects.filter(connection=connection, publish_state=IntentionState.UNKNOWN)
    # Of a cancelled batch nothing is ever sent again.
    unknown = unknown.exclude(batch__state=BatchState.CANCELLED)
    live = [
        Outcome(key, IntentionState.QUEUED, "No answer came; asking again with the same token.")
        for key, first_sent_at in unknown.values_list("pk", "first_sent_at")
        if token_is_live(first_sent_at, now)
    ]
    return len(record_outcomes(HIT, live, only=[IntentionState.UNKNOWN]))


# Decisions ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What MTurk made of one Decision: the state, its words, and the Assignment where we had to read it."""

    decision: Decision
    outcome: Outcome
    remote: RemoteAssignment | None = None
    is_throttled: bool = False


def send_decisions(connection: Connection, *, gateway: MTurkGateway) -> bool:
    """Send decisions whose grace time is over, for one TURN at most; returns whether there may be more."""
    ends = time.monotonic() + TURN
    keys = next_decisions(connection)
    held = claim(Decision.objects.filter(pk__in=keys).select_related("assignment"), limit=CHUNK)
    held.rows.sort(key=lambda decision: keys.index(decision.pk))
    has_claimed = bool(held.rows)
    while held.rows and time.monotonic() < ends:
        try:
            room = gateway.buy_calls(min(GROUP, len(held.rows)))
        except MTurkError as error:
            log.warning("No decision is sent on Connection %s: %s", connection.pk, error)
            give_back(held, held.rows)
            return False
        renew_old(held)
        group = Claim(held.rows[:room], held.lease_until, held.ends)
        held.rows = held.rows[room:]
        told = _tell(mark_sending(group, group.rows), group, gateway)
        store_told(told)
        waiting = [each for each in told if each.outcome.state != IntentionState.DONE and _must_wait(each)]
        if line_is_down(len(waiting), len(told)):
            give_back(held, held.rows)
            return False
    give_back(held, held.rows)
    # Whoever rang meanwhile was told that somebody is at it.
    return has_claimed


def next_decisions(connection: Connection) -> list[int]:
    """Keys of up to CHUNK decisions that are due and that nobody holds, in the order they should be sent.

    Of teams that share the account in turn. Of each, rejections first, by the time MTurk would approve the answer by
    itself, then what a person clicked, then bulk work.
    """
    now = clock.now()
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=clock.real_now())
    due = Decision.objects.filter(free, connection=connection, state=IntentionState.QUEUED, due_at__lte=now)
    teams = Batch.objects.filter(connection=connection).order_by("team").values_list("team", flat=True)
    turns = itertools.zip_longest(*(_of_team(due.filter(team=team)) for team in teams.distinct()))
    in_turn = (key for turn in turns for key in turn if key is not None)
    return list(itertools.islice(in_turn, CHUNK))


def _of_team(due: DecisionQuerySet[Decision]) -> list[int]:
    approvals = due.filter(verdict=Verdict.APPROVE).order_by("due_at", "pk")
    keys: list[int] = []
    for wanted in (
        due.filter(verdict=Verdict.REJECT).order_by("assignment__auto_approval_at", "pk"),
        approvals.filter(job=None),
        approvals.exclude(job=None),
    ):
        keys += wanted.values_list("pk", flat=True)[: CHUNK - len(keys)]
    return keys


def is_being_told(connection: Connection) -> bool:
    """Whether somebody has begun to send decisions of the Connection within the last seconds, and is at it."""
    recently = clock.now() - timedelta(seconds=2)
    sending = Decision.objects.filter(connection=connection, state=IntentionState.SENDING)
    return sending.filter(last_sent_at__gte=recently).exists()


def _must_wait(told: Told) -> bool:
    """Whether the line, not the row, is what failed; a throttled call slows the Connection down by itself."""
    return told.outcome.state in {IntentionState.QUEUED, IntentionState.UNKNOWN} and not told.is_throttled


def _tell(decisions: Sequence[Decision], held: Claim[Decision], gateway: MTurkGateway) -> list[Told]:
    if not decisions:
        return []
    with ThreadPoolExecutor(max_workers=len(decisions)) as pool:
        return list(pool.map(lambda decision: _tell_one(decision, held, gateway), decisions))


def _tell_one(decision: Decision, held: Claim[Decision], gateway: MTurkGateway) -> Told:
    """Send one decision. Runs in a thread: it must not touch the database."""
    if decision.first_sent_at is not None or decision.is_overturn:
        # Sent before: look first, for approving twice is an error at MTurk. It may have been overturned elsewhere, too.
        looked = look_up(decision, gateway)
        if looked is not None:
            return looked
    if not held.may_start:
        return Told(decision, Outcome(decision.pk, IntentionState.QUEUED, "Held up; sent again."))
    try:
        if decision.verdict == Verdict.APPROVE:
            gateway.approve_assignment(
                decision.assignment.mturk_id,
                feedback=decision.feedback,
                override_rejection=decision.is_overturn,
            )
        else:
            gateway.reject_assignment(decision.assignment.mturk_id, feedback=decision.feedback)
    except MTurkError as error:
        return _refused(decision, error, gateway)
    return Told(decision, Outcome(decision.pk, IntentionState.DONE))


def _refused(decision: Decision, error: MTurkError, gateway: MTurkGateway) -> Told:
    """InvalidAssignmentState means: read what it is, and record that."""
    if error.code == "InvalidAssignmentState":
        looked = look_up(decision, gateway)
        if looked is not None:
            return looked
        if decision.is_overturn:
            return Told(decision, Outcome(decision.pk, IntentionState.FAILED, _TOO_LATE + error.details))
    outcome = after_error(decision.pk, error, attempts=decision.attempts + 1)
    return Told(decision, outcome, is_throttled=error.is_throttling)


_TOO_LATE = (
    "MTurk does not let this rejection be overturned any more: its HIT is deleted, or 30 days have passed since the "
    "answer came. A bonus still reaches the Worker.\n"
)


def look_up(decision: Decision, gateway: MTurkGateway) -> Told | None:
    """What MTurk's state makes of a decision; None when nothing has been decided there yet."""
    try:
        remote = gateway.get_assignment(decision.assignment.mturk_id)
    except MTurkError as error:
        if error.retry_can_help or error.may_have_happened:
            text = f"{error.sentence}\n{error.details}"
            outcome = Outcome(decision.pk, IntentionState.UNKNOWN, text)
            return Told(decision, outcome, is_throttled=error.is_throttling)
        return Told(decision, after_error(decision.pk, error, attempts=decision.attempts))
    nothing_yet = AssignmentStatus.REJECTED if decision.is_overturn else AssignmentStatus.SUBMITTED
    if remote.status == nothing_yet:
        return None
    if remote.status == WANTED[decision.verdict]:
        return Told(decision, Outcome(decision.pk, IntentionState.DONE), remote)
    text = f"MTurk had it {remote.status} before this could be sent."
    return Told(decision, Outcome(decision.pk, IntentionState.OVERTAKEN, text), remote)


def store_told(told: Sequence[Told]) -> None:
    """Store what came of decisions, and bring their Assignments, HITs and counts in line, in one transaction."""
    if not told:
        return
    now = clock.now()
    with transaction.atomic():
        locked = {
            assignment.pk: assignment
            for assignment in Assignment.objects.filter(pk__in=[each.decision.assignment_id for each in told])
            .select_for_update(no_key=True)
            .order_by("pk")
        }
        settled = set(
            record_outcomes(
                Decision,
                [each.outcome for each in told],
                only=[IntentionState.SENDING, IntentionState.UNKNOWN],
            )
        )
        ours = [each for each in told if each.outcome.pk in settled]
        for each in ours:
            assignment = locked[each.decision.assignment_id]
            if each.outcome.state == IntentionState.DONE and each.remote is None:
                _mark_decided(assignment, each.decision, now)
            if each.outcome.state in _ENDS:
                assignment.pending_verdict = ""
        update_many(
            locked.values(),
            ["status", "approved_at", "rejected_at", "feedback", "pending_verdict", "decided_elsewhere"],
        )
        note_remote_status(
            [(locked[each.decision.assignment_id], each.remote) for each in ours if each.remote]
        )
        # Overturning moves no counter.
        counted = [each for each in ours if not each.decision.is_overturn]
        _raise_completed([each for each in counted if each.outcome.state == IntentionState.DONE], locked)
        recount(assignment.row_id for assignment in locked.values())


_ENDS = {IntentionState.DONE, IntentionState.FAILED, IntentionState.OVERTAKEN, IntentionState.CANCELLED}


def _mark_decided(assignment: Assignment, decision: Decision, now: datetime) -> None:
    """As MTurk will show it; the next fetch brings its own times."""
    assignment.decided_elsewhere = ""
    assignment.feedback = decision.feedback or (assignment.feedback if decision.is_overturn else "")
    if decision.verdict == Verdict.APPROVE:
        assignment.status, assignment.approved_at = AssignmentStatus.APPROVED.value, now
    else:
        assignment.status, assignment.rejected_at = AssignmentStatus.REJECTED.value, now


def _raise_completed(done: Sequence[Told], assignments: dict[int, Assignment]) -> None:
    """Expect the counter that our own decision moves, so that bulk approval causes no fetch."""
    by_hit: dict[int, int] = {}
    for each in done:
        hit_id = assignments[each.decision.assignment_id].hit_id
        by_hit[hit_id] = by_hit.get(hit_id, 0) + 1
    for count in sorted(set(by_hit.values())):
        hits = [hit_id for hit_id, number in by_hit.items() if number == count]
        HIT.objects.filter(pk__in=hits, listed_completed__isnull=False).update(
            listed_completed=F("listed_completed") + count
        )


@settles(Decision)
def settle_decisions(connection: Connection, gateway: MTurkGateway) -> int:
    """Look up unknown decisions; one that MTurk knows nothing of is queued again."""
    unknown = Decision.objects.filter(connection=connection, state=IntentionState.UNKNOWN)
    decisions = list(unknown.select_related("assignment").order_by("last_sent_at")[:CHUNK])
    if not decisions:
        return 0
    with ThreadPoolExecutor(max_workers=min(GROUP, len(decisions))) as pool:
        told = list(pool.map(lambda decision: _settled(decision, gateway), decisions))
    store_told([each for each in told if each.outcome.state != IntentionState.UNKNOWN])
    return sum(each.outcome.state != IntentionState.UNKNOWN for each in told)


def _settled(decision: Decision, gateway: MTurkGateway) -> Told:
    looked = look_up(decision, gateway)
    if looked is not None:
        return looked
    text = "MTurk had not heard of it; sent again."
    return Told(decision, Outcome(decision.pk, IntentionState.QUEUED, text, never_happened=True))

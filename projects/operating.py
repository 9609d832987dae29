"""What changes HITs after they were created: more answers, another expiration, deletion.

Each is an Operation, made here, sent here, and looked up here after an unknown outcome.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, F, IntegerField, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Greatest

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection
from mturkhub.accounts.rules.connections import check_can_use
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.many_rows import update_many
from mturkhub.common.public_ids import UUID7_SQL
from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.records import RemoteHIT
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
from mturkhub.intentions.models import OPEN_STATES, IntentionState, Operation
from mturkhub.intentions.settling import after_error, line_is_down, settles, token_is_live
from projects.collecting import LIST_LAG
from projects.counting import recount
from projects.models import HIT, Batch
from projects.publishing import expect_answers
from projects.querysets import HITQuerySet
from projects.states import HITStatus, OperationKind

CHUNK = 256
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# "Now" is over once it is at most this far ahead: two clocks never agree to the second.
CLOCKS_DIFFER = timedelta(minutes=1)


# Making -------------------------------------------------------------------------------------------

_QUEUE = """
    insert into intentions_operation (
        public_id, token, team_id, connection_id, kind, family, target_id, subject_id, "values", state,
        created_at, due_at, attempts, outcome, by_id, by_rule, reason, adds_up, is_next
    )
    select {uuid7}, gen_random_uuid(), h.team_id, h.connection_id, %s, %s, h.id, h.batch_id, {values}, 'queued',
        clock_timestamp(), %s, 0, '', %s, %s, '', %s, exists (
            select from intentions_operation o
            where o.target_id = h.id and o.family = %s and o.state = any(%s)
        )
    from projects_hit h join ({chosen}) as chosen (id, asked) on chosen.id = h.id
"""
_VALUES = {
    OperationKind.ADD_ANSWERS: (
        "jsonb_build_object('max_before', chosen.asked, 'max_after', chosen.asked + %s)"
    ),
    OperationKind.EXPIRE: "jsonb_build_object('expire_at', %s::text)",
    OperationKind.DELETE: (
        "jsonb_build_object('stored', (select count(*) from projects_assignment a where a.hit_id = h.id), "
        "'override', %s::boolean)"
    ),
}


def queue_operations(hits: HITQuerySet[HIT], kind: OperationKind, wanted: Any, *, by: Actor) -> int:
    """Make an Operation for each of these HITs; returns how many.

    `wanted` is how many answers more, the expiration as ISO text (empty for now), or whether deleting may give
    up rejections that could be overturned. Whoever calls holds the lock of the batch.

    More answers add up: each wish is sent in its turn. Of ends the newest counts: it takes the place of one nobody
    has sent, and waits for one that may be known at MTurk already.
    """
    if not kind.adds_up:
        _replace(hits, kind)
    asked = asked_for() if kind.adds_up else "max_assignments"
    wanted_of = hits.order_by("pk").values_list("pk", asked)
    try:
        chosen, parameters = wanted_of.query.sql_with_params()
    except EmptyResultSet:
        return 0
    sql = _QUEUE.format(uuid7=UUID7_SQL, values=_VALUES[kind], chosen=chosen)
    who = [by.user.pk if by.user else None, by.rule]
    values: list[Any] = [kind.value, kind.family, wanted, clock.now(), *who]
    values += [kind.adds_up, kind.family, OPEN_STATES]
    with database.cursor() as cursor:
        cursor.execute(sql, [*values, *parameters])
        return int(cursor.rowcount)


def asked_for() -> Greatest:
    """Of a HIT: the answers asked for in all, with those of which MTurk has not confirmed that it grows."""
    open_ones = _of_family(OperationKind.ADD_ANSWERS).filter(state__in=OPEN_STATES, target_id=OuterRef("pk"))
    after = Cast(KeyTextTransform("max_after", "values"), IntegerField())
    most = open_ones.order_by().values("target_id").annotate(most=Max(after)).values("most")
    # PostgreSQL's greatest() passes over what is null.
    return Greatest("max_assignments", Subquery(most, output_field=IntegerField()))


_NEVER_SENT = Q(state=IntentionState.QUEUED, first_sent_at__isnull=True)


def waiting_for_another(hits: HITQuerySet[HIT], kind: OperationKind) -> HITQuerySet[HIT]:
    """Those of the HITs with a change of the kind's family for which a newer wish waits."""
    before = _of_family(kind).filter(state__in=OPEN_STATES, target_id=OuterRef("pk"))
    return hits.filter(Exists(before if kind.adds_up else before.filter(~_NEVER_SENT)))


def _of_family(kind: OperationKind) -> QuerySet[Operation]:
    return Operation.objects.filter(family=kind.family)


def _replace(hits: QuerySet[HIT], kind: OperationKind) -> None:
    """A newer wish takes the place of one that failed, that nobody has sent, or that waits for another."""
    replaced = _of_family(kind).filter(
        _NEVER_SENT | Q(state=IntentionState.FAILED) | Q(is_next=True, state__in=OPEN_STATES),
        target_id__in=hits.values("pk"),
    )
    replaced.update(state=IntentionState.CANCELLED, lease_until=None, outcome="Replaced by a newer wish.")


def unfinished(batch: Batch) -> QuerySet[Operation]:
    """The batch's Operations that are open or have failed."""
    return Operation.objects.filter(
        subject_id=batch.pk,
        family__in={kind.family for kind in OperationKind},
        state__in=[*OPEN_STATES, IntentionState.FAILED],
    )


# Sending ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What MTurk made of one Operation."""

    operation: Operation
    outcome: Outcome


@dataclass(frozen=True)
class Sending:
    """What a thread needs to send one Operation; it must not touch the database."""

    hits: Mapping[int, HIT]
    gateway: MTurkGateway
    now: datetime

    def hit_id(self, operation: Operation) -> str:
        return str(self.hits[operation.target_id].mturk_id)


def send_operations(connection: Connection, *, gateway: MTurkGateway) -> bool:
    """Send up to CHUNK of the Connection's queued Operations; returns whether more can be sent at once."""
    take_up_next(connection)
    held = claim(_ours(connection).filter(is_next=False), limit=CHUNK)
    rows = _refuse_taken_back(connection, held.rows)
    for begin in range(0, len(rows), GROUP):
        renew(held, rows[begin:])
        told = _tell(mark_sending(held, rows[begin : begin + GROUP]), held, gateway)
        store_told(told)
        waiting = [
            each for each in told if each.outcome.state in {IntentionState.QUEUED, IntentionState.UNKNOWN}
        ]
        if line_is_down(len(waiting), len(told)):
            give_back(held, rows[begin + GROUP :])
            return False
    return len(held.rows) == CHUNK


# What a HIT has come to by then counts, not what was expected of the changes before: one of these may have failed.
_NEXT = """
    with taken as (
        update intentions_operation n set is_next = false, "values" = case when n.adds_up
            then jsonb_build_object('max_before', h.max_assignments, 'max_after', h.max_assignments
                + (n."values"->>'max_after')::int - (n."values"->>'max_before')::int)
            else n."values" end
        from projects_hit h
        where h.id = n.target_id and n.connection_id = %(connection)s and n.state = 'queued' and n.is_next
            and not exists (
                select from intentions_operation o
                where o.target_id = n.target_id and o.family = n.family and o.state = any(%(open)s)
                    and (not o.is_next or (o.due_at, o.id) < (n.due_at, n.id))
            )
        returning n.family, n.target_id, n.adds_up
    )
    update intentions_operation f set state = 'cancelled', outcome = 'Replaced by a newer wish.'
    from taken where f.target_id = taken.target_id and f.family = taken.family and f.state = 'failed'
        and not taken.adds_up
"""


def take_up_next(connection: Connection) -> None:
    """The first of the wishes that wait for a change is sent when that one is settled, whatever came of it."""
    with database.cursor() as cursor:
        cursor.execute(_NEXT, {"connection": connection.pk, "open": OPEN_STATES})


def _ours(connection: Connection) -> QuerySet[Operation]:
    return Operation.objects.filter(connection=connection, kind__in=OperationKind.values)


def _refuse_taken_back(connection: Connection, rows: Sequence[Operation]) -> list[Operation]:
    """Fail what costs money and whose team may not use the account any more; expiring and deleting may go on."""
    refused: dict[int, str] = {}
    for team_id in {row.team_id for row in rows if _costs(row)}:
        try:
            check_can_use(connection, team_id)
        except ActionRefused as refusal:
            refused[team_id] = refusal.sentence
    failed = [row for row in rows if _costs(row) and row.team_id in refused]
    record_outcomes(
        Operation,
        [Outcome(row.pk, IntentionState.FAILED, refused[row.team_id]) for row in failed],
        only=[IntentionState.QUEUED],
    )
    return [row for row in rows if row not in failed]


def _costs(operation: Operation) -> bool:
    is_more_time = operation.kind == OperationKind.EXPIRE and bool(operation.values["expire_at"])
    return operation.kind == OperationKind.ADD_ANSWERS or is_more_time


def _tell(operations: Sequence[Operation], held: Claim[Operation], gateway: MTurkGateway) -> list[Told]:
    if not operations:
        return []
    sending = Sending(_hits_of(operations), gateway, clock.now())

    def tell(operation: Operation) -> Told:
        if not held.may_start:
            return Told(operation, Outcome(operation.pk, IntentionState.QUEUED, "Held up; sent again."))
        try:
            return Told(operation, _SEND[OperationKind(operation.kind)](operation, sending))
        except MTurkError as error:
            return Told(operation, after_error(operation.pk, error, attempts=operation.attempts + 1))

    with ThreadPoolExecutor(max_workers=len(operations)) as pool:
        return list(pool.map(tell, operations))


def _hits_of(operations: Sequence[Operation]) -> dict[int, HIT]:
    return HIT.objects.in_bulk({operation.target_id for operation in operations})


def _add_answers(operation: Operation, sending: Sending) -> Outcome:
    """CreateAdditionalAssignmentsForHIT. An old token proves nothing: then GetHIT decides."""
    if not token_is_live(operation.first_sent_at, sending.now):
        looked = look_at_answers(operation, sending)
        if looked.state != IntentionState.QUEUED:
            return looked
    values = operation.values
    try:
        sending.gateway.create_additional_assignments_for_hit(
            sending.hit_id(operation),
            number=values["max_after"] - values["max_before"],
            unique_request_token=str(operation.token),
        )
    except MTurkError as error:
        if not error.is_repeat:
            raise
    return _done(operation)


def _expire(operation: Operation, sending: Sending) -> Outcome:
    """UpdateExpirationForHIT. The same time twice is an error at MTurk, so each attempt differs by a second."""
    expire_at = wanted_expiration(operation) or EPOCH
    try:
        sending.gateway.update_expiration_for_hit(
            sending.hit_id(operation), expire_at=expire_at + timedelta(seconds=operation.attempts)
        )
    except MTurkError as error:
        if error.is_repeat:
            return look_at_expiration(operation, sending)
        if error.is_gone or _is_disposed(error):
            return _gone(operation)
        raise
    return _done(operation)


def _delete(operation: Operation, sending: Sending) -> Outcome:
    """DeleteHIT, after a look: what MTurk has and we have not would be lost."""
    looked = look_at_deletion(operation, sending)
    if looked.state != IntentionState.QUEUED:
        return looked
    try:
        sending.gateway.delete_hit(sending.hit_id(operation))
    except MTurkError as error:
        if not (error.is_gone or _is_disposed(error)):
            raise
    return _done(operation)


_SEND: dict[OperationKind, Callable[[Operation, Sending], Outcome]] = {
    OperationKind.ADD_ANSWERS: _add_answers,
    OperationKind.EXPIRE: _expire,
    OperationKind.DELETE: _delete,
}


def wanted_expiration(operation: Operation) -> datetime | None:
    """The time the HIT shall be open until; None for now."""
    text = operation.values["expire_at"]
    return datetime.fromisoformat(text) if text else None


def _is_disposed(error: MTurkError) -> bool:
    return error.code == "InvalidHITState" and "'Disposed'" in error.details


def _done(operation: Operation, text: str = "") -> Outcome:
    return Outcome(operation.pk, IntentionState.DONE, text)


def _gone(operation: Operation) -> Outcome:
    return Outcome(operation.pk, IntentionState.OVERTAKEN, "The HIT is no longer at MTurk.")


def _again(operation: Operation, *, never_happened: bool = False) -> Outcome:
    text = "MTurk had not heard of it; sent again."
    return Outcome(operation.pk, IntentionState.QUEUED, text, never_happened=never_happened)


# Looking ------------------------------------------------------------------------------------------


def _get(operation: Operation, sending: Sending) -> RemoteHIT | None:
    """The HIT as MTurk has it; None when it was deleted. Raises MTurkError."""
    try:
        remote = sending.gateway.get_hit(sending.hit_id(operation))
    except MTurkError as error:
        if error.is_gone:
            return None
        raise
    return None if remote.hit_status == HITStatus.DISPOSED else remote


def look_at_answers(operation: Operation, sending: Sending) -> Outcome:
    """Whether the HIT has grown; QUEUED when it has not and could have been seen to."""
    remote = _get(operation, sending)
    before, after = operation.values["max_before"], operation.values["max_after"]
    if remote is None:
        return _gone(operation)
    if remote.max_assignments >= after:
        return _done(operation)
    if remote.max_assignments != before:
        text = (
            f"MTurk shows {remote.max_assignments} answers for this HIT, where {before} or {after} were "
            "expected: it was changed elsewhere. Look at it, and ask for more answers anew where some are missing."
        )
        return Outcome(operation.pk, IntentionState.FAILED, text)
    if operation.last_sent_at and sending.now - operation.last_sent_at < LIST_LAG:
        return Outcome(operation.pk, IntentionState.UNKNOWN, "Not seen at MTurk yet; looking again.")
    return _again(operation, never_happened=True)


def look_at_expiration(operation: Operation, sending: Sending) -> Outcome:
    """Whether the HIT ends when it should; QUEUED when it does not."""
    remote = _get(operation, sending)
    wanted = wanted_expiration(operation)
    if remote is None:
        return _gone(operation)
    if wanted is None:
        is_as_wanted = remote.expires_at <= sending.now + CLOCKS_DIFFER
    else:
        latest = wanted + timedelta(seconds=operation.attempts + 1)
        is_as_wanted = wanted - timedelta(seconds=1) <= remote.expires_at <= latest
    return _done(operation) if is_as_wanted else _again(operation)


def look_at_deletion(operation: Operation, sending: Sending) -> Outcome:
    """Whether the HIT is gone, or may not go; QUEUED when it is there and everything of it is here."""
    remote = _get(operation, sending)
    if remote is None:
        return _done(operation)
    stored = operation.values["stored"]
    if remote.submitted_or_decided > stored:
        text = (
            f"MTurk has {remote.submitted_or_decided} answers of this HIT and {stored} are stored here, so it was "
            "not deleted. They are collected first."
        )
        return Outcome(operation.pk, IntentionState.OVERTAKEN, text)
    if remote.hit_status not in {HITStatus.REVIEWABLE, HITStatus.REVIEWING}:
        text = f"The HIT is {remote.hit_status} at MTurk, so Workers may still answer it. It was not deleted."
        return Outcome(operation.pk, IntentionState.OVERTAKEN, text)
    return _again(operation)


_LOOK: dict[OperationKind, Callable[[Operation, Sending], Outcome]] = {
    OperationKind.ADD_ANSWERS: look_at_answers,
    OperationKind.EXPIRE: look_at_expiration,
    OperationKind.DELETE: look_at_deletion,
}


@settles(Operation)
def settle_operations(connection: Connection, gateway: MTurkGateway) -> int:
    """Look up unknown Operations; one whose token still lives is sent again with it, as MTurk then tells.

    One that waited for another when a backup was made is looked up after that one: what it stands on is known then.
    """
    unknown = _ours(connection).filter(state=IntentionState.UNKNOWN).exclude(Exists(_before()), is_next=True)
    operations = list(unknown.order_by("last_sent_at", "pk")[:CHUNK])
    if not operations:
        return 0
    sending = Sending(_hits_of(operations), gateway, clock.now())
    with ThreadPoolExecutor(max_workers=min(GROUP, len(operations))) as pool:
        told = list(pool.map(lambda operation: Told(operation, _settled(operation, sending)), operations))
    settled = [each for each in told if each.outcome.state != IntentionState.UNKNOWN]
    store_told(settled)
    return len(settled)


def _before() -> QuerySet[Operation]:
    """The open Operations that one of an outer query waits for."""
    same = Operation.objects.filter(
        family=OuterRef("family"), target_id=OuterRef("target_id"), state__in=OPEN_STATES
    )
    is_older = Q(due_at__lt=OuterRef("due_at")) | Q(due_at=OuterRef("due_at"), pk__lt=OuterRef("pk"))
    return same.filter(Q(is_next=False) | is_older)


def _settled(operation: Operation, sending: Sending) -> Outcome:
    if operation.kind == OperationKind.ADD_ANSWERS and token_is_live(operation.first_sent_at, sending.now):
        text = "No answer came; asking again with the same token."
        return Outcome(operation.pk, IntentionState.QUEUED, text)
    try:
        return _LOOK[OperationKind(operation.kind)](operation, sending)
    except MTurkError as error:
        # Whatever keeps us from looking says nothing about what happened.
        return Outcome(operation.pk, IntentionState.UNKNOWN, f"{error.sentence}\n{error.details}")


# Storing ------------------------------------------------------------------------------------------


def store_told(told: Sequence[Told]) -> None:
    """Store what came of Operations and bring their HITs, batches and counts in line, in one transaction."""
    if not told:
        return
    with transaction.atomic():
        hits = {
            hit.pk: hit
            for hit in HIT.objects.filter(pk__in=[each.operation.target_id for each in told])
            .select_for_update(no_key=True)
            .order_by("pk")
        }
        settled = set(
            record_outcomes(
                Operation,
                [each.outcome for each in told],
                only=[IntentionState.SENDING, IntentionState.UNKNOWN],
            )
        )
        now = clock.now()
        more: dict[int, int] = {}
        for each in told:
            if each.outcome.pk not in settled:
                continue
            hit = hits[each.operation.target_id]
            if each.outcome.state == IntentionState.DONE:
                _STORE[OperationKind(each.operation.kind)](hit, each.operation, now)
                more[hit.batch_id] = more.get(hit.batch_id, 0) + _answers_added(each.operation)
            elif each.operation.kind == OperationKind.DELETE:
                # It is not as we thought: the next sweep fetches it.
                hit.fetch_wanted_at = now
        update_many(hits.values(), _STORED_FIELDS)
        recount(hit.row_id for hit in hits.values())
        for batch_id, number in sorted(more.items()):
            if number:
                Batch.objects.filter(pk=batch_id).update(answers_extra=F("answers_extra") + number)
    if any(_costs(each.operation) and each.outcome.state == IntentionState.DONE for each in told):
        expect_answers(told[0].operation.connection)


_STORED_FIELDS = [
    "max_assignments",
    "listed_max",
    "listed_available",
    "hit_status",
    "expires_at",
    "fetch_wanted_at",
    "unusable",
    "changed_elsewhere",
]


def _answers_added(operation: Operation) -> int:
    if operation.kind != OperationKind.ADD_ANSWERS:
        return 0
    return int(operation.values["max_after"] - operation.values["max_before"])


def _store_answers(hit: HIT, operation: Operation, now: datetime) -> None:
    hit.max_assignments = max(hit.max_assignments, operation.values["max_after"])
    if hit.listed_max is not None and hit.listed_available is not None:
        # As the next sweep lists it, so that it causes no fetch.
        hit.listed_max += _answers_added(operation)
        hit.listed_available += _answers_added(operation)
    _is_open_again(hit, now)


def _store_expiration(hit: HIT, operation: Operation, now: datetime) -> None:
    hit.expires_at, hit.changed_elsewhere = wanted_expiration(operation) or now, ""
    _is_open_again(hit, now)


def _is_open_again(hit: HIT, now: datetime) -> None:
    """So that sweeps come as often as for any open HIT; the next one says what it really is."""
    if hit.expires_at and hit.expires_at > now and hit.hit_status != HITStatus.DISPOSED:
        hit.hit_status, hit.unusable = HITStatus.ASSIGNABLE, 0


def _store_deletion(hit: HIT, operation: Operation, now: datetime) -> None:
    hit.hit_status = HITStatus.DISPOSED


_STORE: dict[OperationKind, Callable[[HIT, Operation, datetime], None]] = {
    OperationKind.ADD_ANSWERS: _store_answers,
    OperationKind.EXPIRE: _store_expiration,
    OperationKind.DELETE: _store_deletion,
}

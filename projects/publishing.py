"""A HIT row becomes a HIT on MTurk: one CreateHITType, then one CreateHITWithHITType per row.

Claimed in chunks, sent by threads, stored in bulk: one thread with a database, many without. How a row comes back after an unknown outcome stands in
`sending.py` (by its token) and `collecting.py` (by its annotation).
"""

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import Any

from django.db import connection as database
from django.db import transaction

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection
from mturkhub.accounts.rules.connections import check_can_use
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.models import Installation
from mturkhub.gateway.client import MOST_AT_ONCE, MTurkGateway
from mturkhub.gateway.errors import MTurkError, existing_hit_id
from mturkhub.gateway.records import RemoteHIT
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
from mturkhub.intentions.settling import after_error, line_is_down, token_is_live
from projects.annotations import annotation_for
from projects.counting import recount
from projects.listening import tell_type
from projects.models import HIT, Batch, HITType
from projects.models.sweep import sweep_interval
from projects.placeholders import question_for
from projects.states import BatchState

log = logging.getLogger(__name__)

# Rows claimed at a time.
CHUNK = 128
# Whether sending may go on is looked up so often, and answers wait so long at most for being stored.
LOOK_EVERY = STORE_EVERY = 1.0
BY = Actor.system("publishing")

WAITING = [
    IntentionState.WAITING.value,
    IntentionState.QUEUED.value,
    IntentionState.SENDING.value,
    IntentionState.UNKNOWN.value,
]


@dataclass(frozen=True)
class Sent:
    """One call's result: the HIT, or what went wrong."""

    hit: HIT
    remote: RemoteHIT | None = None
    error: MTurkError | None = None
    refusal: str = ""


def publish_chunk(batch: Batch, *, gateway: MTurkGateway) -> bool:
    """Create the batch's waiting HITs for one TURN at most; returns whether more can be created at once."""
    if not _may_create(batch):
        return False
    try:
        hit_type = ensure_hit_type(batch, gateway=gateway)
    except MTurkError as error:
        if not error.retry_can_help:
            pause_batch_for(batch, error.sentence)
        return False
    tell_type(hit_type, gateway=gateway)
    goes_on = _Sender(batch, hit_type, gateway).send_for(TURN)
    finish_if_done(batch)
    return goes_on


def is_being_published(batch: Batch) -> bool:
    """Whether somebody has begun to create some of the batch's HITs within the last seconds, and is at it."""
    recently = clock.now() - timedelta(seconds=2)
    sending = HIT.objects.filter(batch=batch, publish_state=IntentionState.SENDING)
    return sending.filter(last_sent_at__gte=recently).exists()


def _may_create(batch: Batch) -> bool:
    """Read anew, so that pausing takes effect within a second, and so does taking a lent account back."""
    batch.refresh_from_db(fields=["state"])
    connection = batch.connection
    connection.refresh_from_db(fields=["creation_paused_at", "paused_at", "tested_at"])
    if batch.state != BatchState.PUBLISHING or connection.creation_paused_at or connection.paused_at:
        return False
    try:
        check_can_use(connection, batch.team_id)
    except ActionRefused as refused:
        pause_batch_for(batch, refused.sentence)
        return False
    return True


def ensure_hit_type(batch: Batch, *, gateway: MTurkGateway) -> HITType:
    """The HITType of the batch's terms, made at MTurk unless the Connection has it; raises MTurkError.

    CreateHITType gives the same id for the same values, so a repeat is harmless.
    """
    terms = _terms(batch)
    shown = {**terms, "reward": str(terms["reward"])}
    shown["assignment_duration"] = terms["assignment_duration"].total_seconds()
    shown["auto_approval_delay"] = terms["auto_approval_delay"].total_seconds()
    digest = hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()
    hit_type, _ = HITType.objects.get_or_create(
        connection=batch.connection, digest=digest, defaults={"properties": shown}
    )
    if not hit_type.mturk_id:
        hit_type.mturk_id = gateway.create_hit_type(**terms)
        hit_type.save(update_fields=["mturk_id"])
    return hit_type


def _terms(batch: Batch) -> dict[str, Any]:
    return {
        "title": batch.title,
        "description": batch.description,
        "keywords": batch.keywords,
        "reward": batch.reward,
        "assignment_duration": batch.assignment_duration,
        "auto_approval_delay": batch.auto_approval_delay,
        "qualification_requirements": batch.qualification_requirements,
    }


class _Sender:
    """Sends a batch's rows: claimed in chunks, marked in groups, each called by a thread that was free before."""

    def __init__(self, batch: Batch, hit_type: HITType, gateway: MTurkGateway) -> None:
        self.batch, self.hit_type, self.gateway = batch, hit_type, gateway
        self.html = batch.template.html
        self.installation = Installation.current_id()
        # Claimed, and not marked yet.
        self.held: Claim[HIT] = Claim([], None, 0.0)
        self.on_their_way = 0
        self.finished: SimpleQueue[Future[Sent]] = SimpleQueue()
        # Answered, and not stored yet; since when the first of them waits.
        self.results: list[Sent] = []
        self.waiting_since = 0.0
        self.looked_at = time.monotonic()

    def send_for(self, seconds: float) -> bool:
        """Send until done, paused, refused as a whole or out of time; returns whether going on at once makes sense."""
        ends, goes_on, has_more = time.monotonic() + seconds, True, True
        with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
            while True:
                is_time = goes_on and has_more and time.monotonic() < ends
                begins = is_time and self.on_their_way <= MOST_AT_ONCE - GROUP
                if begins:
                    goes_on, has_more = self._begin_group(pool)
                elif not self.on_their_way:
                    break
                self._take_answers(wait=not begins)
                if self._must_store():
                    goes_on = self._store() and goes_on
        give_back(self.held, self.held.rows)
        return goes_on and has_more

    def _begin_group(self, pool: ThreadPoolExecutor) -> tuple[bool, bool]:
        """Begin as many calls as the rate allows, up to a group; whether to go on, and whether there are more rows."""
        if not self._still_may_create():
            return False, True
        if not self.held.rows:
            self.held = claim(HIT.objects.filter(batch=self.batch).select_related("row"), limit=CHUNK)
            if not self.held.rows:
                return True, False
            self.held.rows = self._set_old_ones_aside(self.held.rows)
        try:
            room = self.gateway.buy_calls(min(GROUP, len(self.held.rows)))
        except MTurkError as error:
            log.warning("Nothing of batch %s is sent: %s", self.batch.pk, error)
            return False, True
        renew_old(self.held)
        group = Claim(self.held.rows[:room], self.held.lease_until, self.held.ends)
        self.held.rows = self.held.rows[room:]
        for hit in mark_sending(group, group.rows):
            self.on_their_way += 1
            pool.submit(self._create, hit, group).add_done_callback(self.finished.put)
        return True, True

    def _still_may_create(self) -> bool:
        if time.monotonic() - self.looked_at < LOOK_EVERY:
            return True
        self.looked_at = time.monotonic()
        return _may_create(self.batch)

    def _take_answers(self, *, wait: bool) -> None:
        """Take what has been answered, after waiting for one answer if asked to."""
        try:
            while True:
                sent = self.finished.get(timeout=STORE_EVERY if wait else 0.0).result()
                wait = False
                self.on_their_way -= 1
                self.waiting_since = self.waiting_since if self.results else time.monotonic()
                self.results.append(sent)
        except Empty:
            pass

    def _must_store(self) -> bool:
        """Whether answers are a group, old, or the last."""
        if not self.results or len(self.results) >= GROUP or not self.on_their_way:
            return bool(self.results)
        return time.monotonic() - self.waiting_since > STORE_EVERY

    def _store(self) -> bool:
        results, self.results = self.results, []
        return store_created(self.batch, self.hit_type, results)

    def _set_old_ones_aside(self, rows: Sequence[HIT]) -> list[HIT]:
        """Rows whose token may be forgotten by now are looked for before anything is sent."""
        now = clock.now()
        old = [row for row in rows if not token_is_live(row.first_sent_at, now)]
        text = "Sent more than 23 hours ago; looking for it at MTurk before it is sent again."
        record_outcomes(
            HIT,
            [Outcome(row.pk, IntentionState.UNKNOWN, text) for row in old],
            only=[IntentionState.QUEUED],
        )
        gone = {row.pk for row in old}
        return [row for row in rows if row.pk not in gone]

    def _create(self, hit: HIT, held: Claim[HIT]) -> Sent:
        """Create one HIT. Runs in a thread: it must not touch the database."""
        try:
            question = question_for(self.html, hit.row.input, self.batch.columns, self.batch.frame_height)
        except ActionRefused as refusal:
            return Sent(hit, refusal=refusal.sentence)
        if not held.may_start:
            return Sent(hit, error=_LEASE_OVER)
        annotation = annotation_for(hit, project_id=self.batch.project_id, installation=self.installation)
        try:
            remote = self.gateway.create_hit_with_hit_type(
                hit_type_id=self.hit_type.mturk_id,
                question=question,
                lifetime=self.batch.lifetime,
                max_assignments=hit.max_assignments,
                requester_annotation=annotation,
                unique_request_token=str(hit.token),
            )
        except MTurkError as error:
            if error.code == "HitAlreadyExists":
                return self._recognise(hit, existing_hit_id(error), annotation, error)
            return Sent(hit, error=error)
        return Sent(hit, remote=remote)

    def _recognise(self, hit: HIT, hit_id: str, annotation: str, refused: MTurkError) -> Sent:
        """The token has done its work before: this HIT is ours if it carries our annotation."""
        try:
            remote = self.gateway.get_hit(hit_id)
        except MTurkError as error:
            refused.may_have_happened = True
            refused.details = f"{refused.details}\n{error.details}"
            return Sent(hit, error=refused)
        if remote.requester_annotation == annotation:
            return Sent(hit, remote=remote)
        return Sent(hit, refusal="This row's token belongs to another installation, so it was not created.")


_LEASE_OVER = MTurkError(
    operation="CreateHITWithHITType",
    kind="LeaseOver",
    code="",
    sentence="The sender was held up; the row is sent again.",
    details="",
    may_have_happened=False,
    retry_can_help=True,
)


# A row that turned `unknown` meanwhile, because its lease ran out, is just as glad of an answer.
_OPEN = [IntentionState.SENDING, IntentionState.UNKNOWN]


def store_created(batch: Batch, hit_type: HITType, results: Sequence[Sent]) -> bool:
    """Store what came of each call in one transaction; returns whether going on at once makes sense."""
    outcomes, created = [], []
    funds_ran_out: MTurkError | None = None
    about_account: MTurkError | None = None
    failed = 0
    for sent in results:
        if sent.remote:
            created.append((sent.hit, sent.remote))
        elif sent.refusal:
            outcomes.append(Outcome(sent.hit.pk, IntentionState.FAILED, sent.refusal))
        elif sent.error and sent.error.is_insufficient_funds:
            funds_ran_out = sent.error
            outcomes.append(Outcome(sent.hit.pk, IntentionState.QUEUED, sent.error.sentence))
        elif sent.error and sent.error.is_about_account:
            about_account = sent.error
            outcomes.append(Outcome(sent.hit.pk, IntentionState.QUEUED, sent.error.sentence))
        elif sent.error:
            # Throttled calls slow the whole Connection down by themselves: see gateway/rate_budget.py.
            failed += sent.error.retry_can_help and not sent.error.is_throttling
            outcomes.append(after_error(sent.hit.pk, sent.error, attempts=sent.hit.attempts + 1))
    with transaction.atomic():
        store_remote_hits(created, hit_type, published_from=_OPEN)
        record_outcomes(HIT, outcomes, only=_OPEN)
        recount(sent.hit.row_id for sent in results)
    if created:
        expect_answers(batch.connection)
    if funds_ran_out:
        pause_creation(batch.connection, funds_ran_out.sentence)
    if about_account:
        pause_batch_for(batch, about_account.sentence)
    return not (funds_ran_out or about_account or line_is_down(failed, len(results)))


def store_remote_hits(
    created: Sequence[tuple[HIT, RemoteHIT]],
    hit_type: HITType | None,
    *,
    published_from: Sequence[IntentionState] = (),
) -> None:
    """Write what MTurk says of new HITs into their rows, in one statement; rows in these states are published then."""
    if not created:
        return
    with database.cursor() as cursor:
        cursor.execute(
            """
            update projects_hit h set mturk_id = fresh.mturk_id, hit_status = fresh.status,
                mturk_created_at = fresh.created_at, expires_at = fresh.expires_at,
                hit_type_id = coalesce(%(hit_type)s, h.hit_type_id),
                publish_state = case when h.publish_state = any(%(open)s) then 'published' else h.publish_state end,
                outcome = case when h.publish_state = any(%(open)s) then '' else h.outcome end,
                lease_until = case when h.publish_state = any(%(open)s) then null else h.lease_until end
            from unnest(%(keys)s::bigint[], %(ids)s::text[], %(statuses)s::text[], %(created)s::timestamptz[],
                %(expires)s::timestamptz[]) as fresh (id, mturk_id, status, created_at, expires_at)
            where h.id = fresh.id
            """,
            {
                "hit_type": hit_type.pk if hit_type else None,
                "keys": [hit.pk for hit, _ in created],
                "ids": [remote.hit_id for _, remote in created],
                "statuses": [remote.hit_status for _, remote in created],
                "created": [remote.created_at for _, remote in created],
                "expires": [remote.expires_at for _, remote in created],
                "open": [state.value for state in published_from],
            },
        )


def expect_answers(connection: Connection) -> None:
    """A Connection without open work is swept rarely; from its first HIT on no longer."""
    soon = clock.now() + sweep_interval(connection)
    Connection.objects.filter(pk=connection.pk, next_sweep_at__gt=soon).update(next_sweep_at=soon)


def pause_creation(connection: Connection, reason: str) -> None:
    """Create nothing on this Connection until its balance suffices again; `lift_pause` sees to that."""
    with transaction.atomic():
        creating = Connection.objects.filter(pk=connection.pk, creation_paused_at__isnull=True)
        if creating.update(creation_paused_at=clock.now(), creation_paused_reason=reason):
            owner = connection.account.team_id
            record(BY, "connection.creation_paused", connection, team_id=owner, reason=reason)


def pause_batch_for(batch: Batch, reason: str) -> None:
    """Pause one batch, with the sentence a person needs to mend it and resume."""
    with transaction.atomic():
        publishing = Batch.objects.filter(pk=batch.pk, state=BatchState.PUBLISHING)
        if publishing.update(state=BatchState.PAUSED, state_reason=reason):
            record(BY, "batch.held_up", batch, team_id=batch.team_id, reason=reason)


def finish_if_done(batch: Batch) -> None:
    """A publishing batch is live once nothing of it waits to be sent or looked up."""
    waiting = HIT.objects.filter(batch=batch, publish_state__in=WAITING)
    if not waiting.exists():
        Batch.objects.filter(pk=batch.pk, state=BatchState.PUBLISHING).update(state=BatchState.LIVE)

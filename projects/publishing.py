"""A HIT row becomes a HIT on MTurk: one CreateHITType, then one CreateHITWithHITType per row.

Claimed in chunks, sent by threads, stored in bulk. How a row comes back after an unknown outcome stands in
`sending.py` (by its token) and `collecting.py` (by its annotation).
"""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError, existing_hit_id
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
from mturkhub.intentions.models import IntentionState
from mturkhub.intentions.settling import after_error, token_is_live
from projects.annotations import annotation_for
from projects.counting import recount
from projects.models import HIT, Batch, HITType
from projects.models.sweep import sweep_interval
from projects.placeholders import question_for
from projects.states import BatchState

CHUNK = 256
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
    """Create up to CHUNK of the batch's waiting HITs; returns whether more can be created at once."""
    if not _may_create(batch):
        return False
    try:
        hit_type = ensure_hit_type(batch, gateway=gateway)
    except MTurkError as error:
        if not error.retry_can_help:
            pause_batch_for(batch, error.sentence)
        return False
    held = claim(HIT.objects.filter(batch=batch).select_related("row"), limit=CHUNK)
    sender = _Sender(batch, hit_type, gateway, held)
    went_well = sender.send_all()
    finish_if_done(batch)
    return went_well and len(held.rows) == CHUNK


def _may_create(batch: Batch) -> bool:
    """Read anew, so that pausing takes effect between two groups, and so does taking a lent account back."""
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
    """Sends the rows of one claim, a group at a time."""

    def __init__(self, batch: Batch, hit_type: HITType, gateway: MTurkGateway, held: Claim[HIT]) -> None:
        self.batch, self.hit_type, self.gateway, self.held = batch, hit_type, gateway, held
        self.html = batch.template.html
        self.installation = Installation.current_id()

    def send_all(self) -> bool:
        """Send until done, paused or refused as a whole; returns whether going on at once makes sense."""
        rows = self._set_old_ones_aside(self.held.rows)
        for begin in range(0, len(rows), GROUP):
            if not _may_create(self.batch):
                give_back(self.held, rows[begin:])
                return False
            renew(self.held, rows[begin:])
            results = self._send(mark_sending(self.held, rows[begin : begin + GROUP]))
            if not store_created(self.batch, self.hit_type, results):
                give_back(self.held, rows[begin + GROUP :])
                return False
        return True

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

    def _send(self, rows: Sequence[HIT]) -> list[Sent]:
        if not rows:
            return []
        with ThreadPoolExecutor(max_workers=len(rows)) as pool:
            return list(pool.map(self._create, rows))

    def _create(self, hit: HIT) -> Sent:
        """Create one HIT. Runs in a thread: it must not touch the database."""
        try:
            question = question_for(self.html, hit.row.input, self.batch.columns, self.batch.frame_height)
        except ActionRefused as refusal:
            return Sent(hit, refusal=refusal.sentence)
        if not self.held.may_start:
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


def store_created(batch: Batch, hit_type: HITType, results: Sequence[Sent]) -> bool:
    """Store what came of each call in one transaction; returns whether going on at once makes sense."""
    outcomes, created = [], []
    funds_ran_out: MTurkError | None = None
    about_account: MTurkError | None = None
    must_slow_down = False
    for sent in results:
        if sent.remote:
            created.append((sent.hit, sent.remote))
            outcomes.append(Outcome(sent.hit.pk, IntentionState.PUBLISHED))
        elif sent.refusal:
            outcomes.append(Outcome(sent.hit.pk, IntentionState.FAILED, sent.refusal))
        elif sent.error and sent.error.is_insufficient_funds:
            funds_ran_out = sent.error
            outcomes.append(Outcome(sent.hit.pk, IntentionState.QUEUED, sent.error.sentence))
        elif sent.error and sent.error.is_about_account:
            about_account = sent.error
            outcomes.append(Outcome(sent.hit.pk, IntentionState.QUEUED, sent.error.sentence))
        elif sent.error:
            must_slow_down = must_slow_down or sent.error.retry_can_help
            outcomes.append(after_error(sent.hit.pk, sent.error, attempts=sent.hit.attempts + 1))
    with transaction.atomic():
        store_remote_hits(created, hit_type)
        # A row that turned `unknown` meanwhile, because its lease ran out, is just as glad of an answer.
        record_outcomes(HIT, outcomes, only=[IntentionState.SENDING, IntentionState.UNKNOWN])
        recount(sent.hit.row_id for sent in results)
    if created:
        expect_answers(batch.connection)
    if funds_ran_out:
        pause_creation(batch.connection, funds_ran_out.sentence)
    if about_account:
        pause_batch_for(batch, about_account.sentence)
    return not (funds_ran_out or about_account or must_slow_down)


def store_remote_hits(created: Sequence[tuple[HIT, RemoteHIT]], hit_type: HITType | None) -> None:
    """Write what MTurk says of new HITs into their rows, in one statement."""
    if not created:
        return
    with database.cursor() as cursor:
        cursor.execute(
            """
            update projects_hit h set mturk_id = fresh.mturk_id, hit_status = fresh.status,
                mturk_created_at = fresh.created_at, expires_at = fresh.expires_at,
                hit_type_id = coalesce(%s, h.hit_type_id)
            from unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
                as fresh (id, mturk_id, status, created_at, expires_at)
            where h.id = fresh.id
            """,
            [
                hit_type.pk if hit_type else None,
                [hit.pk for hit, _ in created],
                [remote.hit_id for _, remote in created],
                [remote.hit_status for _, remote in created],
                [remote.created_at for _, remote in created],
                [remote.expires_at for _, remote in created],
            ],
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

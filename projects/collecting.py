"""Assignments on MTurk are fetched: sweep the Connection, and ask for what changed. `storing` makes rows of them.

A sweep may be cut off anywhere and begun again; collecting the same thing twice changes nothing.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q

from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from mturkhub.common.many_rows import update_many
from mturkhub.common.models import Installation
from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.records import RemoteAssignment, RemoteHIT
from mturkhub.intentions.claiming import Outcome, record_outcomes
from mturkhub.intentions.models import IntentionState, Operation
from mturkhub.intentions.settling import line_is_down
from projects.annotations import read_annotation
from projects.budgets import release
from projects.counting import recount
from projects.differences import name_changes, name_deletion
from projects.elsewhere import note_gone, note_strangers
from projects.entering import MARKET
from projects.models import HIT, Assignment, Batch, HITType, Sweep
from projects.models.sweep import sweep_interval
from projects.publishing import ensure_hit_type, finish_if_done, store_remote_hits
from projects.querysets import HITQuerySet
from projects.rules import OVERTURN_WINDOW
from projects.states import AssignmentStatus, BatchState, HITStatus, OperationKind
from projects.storing import LISTED_FIELDS, Fetched, counters_of, set_listed, store_fetched, wish_no_longer

ThingT = TypeVar("ThingT")
SWEEP_LEASE = timedelta(seconds=120)
THREADS = 8
# MTurk shows a new HIT in its lists only after a while.
LIST_LAG = timedelta(minutes=2)
# Changes that no counter shows are found by asking for everything open once in this time.
FULL_SWEEP_EVERY = timedelta(hours=24)
# An account is listed once in this time even where asking for each open HIT is cheaper, for what was made elsewhere.
LISTED_EVERY = timedelta(hours=1)
# Pages of ListHITs from which an account's history counts as long.
LONG_HISTORY = 10
# HITs asked for between two renewals of the lease, which must not end at a call or two a second.
ASKED_AT_A_TIME = 32
# Between two sweeps of a Connection without open work.
IDLE_INTERVAL = timedelta(minutes=5)
# Asked for one by one when a sweep did not show them; the rest waits for the next sweep.
MOST_MISSING_ASKED = 100
# Fetched for events at a time; the rest is fetched in the next turn.
MOST_WANTED = 200


def sweep(connection: Connection, *, gateway: MTurkGateway) -> Sweep | None:
    """One pass over all HITs of the Connection; None when another sweep of it is running.

    An MTurkError ends the sweep and is told on it: what was stored so far stays.
    """
    if not _take_lease(connection, sweep_wanted_at=None):
        return None
    record = Sweep.objects.create(connection=connection, begun_at=clock.now())
    try:
        _Sweeper(connection, gateway, record).run()
        record.is_complete = True
    except MTurkError as error:
        record.problem = f"{error.sentence}\n{error.details}"
    finally:
        record.finished_at = clock.now()
        record.save()
        _release(connection, record)
    return record


def _portions(things: Sequence[ThingT]) -> Iterator[Sequence[ThingT]]:
    for begin in range(0, len(things), ASKED_AT_A_TIME):
        yield things[begin : begin + ASKED_AT_A_TIME]


def collect_wanted(connection: Connection, *, gateway: MTurkGateway) -> int:
    """Fetch the HITs that an event has named, one ListAssignmentsForHIT each; returns how many answers were new.

    Nothing while a sweep runs: what it passes by is fetched when this is called next. Raises MTurkError; what was
    stored so far stays.
    """
    wanted = HIT.objects.published().filter(connection=connection, fetch_wanted_at__isnull=False)
    wanted = (
        wanted.filter(batch__imported_at=None).select_related("batch__project").order_by("fetch_wanted_at")
    )
    if not wanted.exists() or not _take_lease(connection):
        return 0
    new = 0
    try:
        hits = list(wanted[:MOST_WANTED])
        # A few at a time, so that a bad line is found out by a few calls.
        for start in range(0, len(hits), THREADS):
            _renew_lease(connection)
            new += _fetch_wanted(connection, hits[start : start + THREADS], gateway)
    finally:
        Connection.objects.filter(pk=connection.pk).update(sweep_lease_until=None)
    return new


def _fetch_wanted(connection: Connection, hits: Sequence[HIT], gateway: MTurkGateway) -> int:
    fetched_at = clock.now()
    answers = _fetch_all([str(hit.mturk_id) for hit in hits], gateway)
    pairs = list(zip(hits, answers, strict=True))
    fetched = [Fetched(hit, None, found) for hit, found in pairs if isinstance(found, list)]
    new = store_fetched(connection, fetched, fetched_at=fetched_at)
    # The next sweep asks what became of those that are gone.
    wish_no_longer([hit for hit, found in pairs if found is None], fetched_at)
    _raise_first(answers)
    return new


def _take_lease(connection: Connection, **more: None) -> bool:
    now = clock.real_now()
    free = Q(sweep_lease_until__isnull=True) | Q(sweep_lease_until__lt=now)
    taken = Connection.objects.filter(free, pk=connection.pk)
    return taken.update(sweep_lease_until=now + SWEEP_LEASE, **more) == 1


def _renew_lease(connection: Connection) -> None:
    Connection.objects.filter(pk=connection.pk).update(sweep_lease_until=clock.real_now() + SWEEP_LEASE)


def _release(connection: Connection, record: Sweep) -> None:
    now = clock.now()
    is_live = Q(hit_status__in=[HITStatus.ASSIGNABLE, HITStatus.UNASSIGNABLE]) | Q(refetches_left__gt=0)
    # An unknown row waits for two sweeps that do not show it.
    is_unknown = Q(publish_state=IntentionState.UNKNOWN)
    is_open = HIT.objects.filter(
        is_unknown | (Q(publish_state=IntentionState.PUBLISHED) & is_live), connection=connection
    ).exists()
    wait = sweep_interval(connection) if is_open else IDLE_INTERVAL
    changes: dict[str, datetime | None] = {"sweep_lease_until": None, "next_sweep_at": now + wait}
    if record.is_complete:
        changes["last_sweep_at"] = now
    Connection.objects.filter(pk=connection.pk).update(**changes)


@dataclass
class _Sweeper:
    connection: Connection
    gateway: MTurkGateway
    record: Sweep
    seen: set[int] = field(default_factory=set)
    seen_elsewhere: set[int] = field(default_factory=set)

    def run(self) -> None:
        is_full = self._is_full_sweep_due()
        if not is_full and self._is_listing_dearer():
            self._ask_for_open()
        else:
            self._list(is_full)

    def _list(self, is_full: bool) -> None:
        for page in self.gateway.list_hits():
            _renew_lease(self.connection)
            self.record.pages += 1
            self.record.hits_listed += len(page)
            known = self._known(page)
            ours = [(known[remote.hit_id], remote) for remote in page if remote.hit_id in known]
            # What was read from a file is as the file says.
            self._collect([(hit, remote) for hit, remote in ours if not hit.batch.imported_at], is_full)
        self._ask_for_missing()
        self._count_sweeps_without()
        if not self._something_was_deleted():
            note_gone(self.connection, self.seen_elsewhere, begun_at=self.record.begun_at)

    def _is_listing_dearer(self) -> bool:
        """Whether the account has a long history and fewer HITs that may have changed than its list has pages."""
        if self.connection.sweep_wanted_at:
            return False
        listings = Sweep.objects.filter(connection=self.connection, is_complete=True, pages__gt=0)
        last = listings.order_by("-begun_at").first()
        if last is None or self.record.begun_at - last.begun_at >= LISTED_EVERY or last.pages < LONG_HISTORY:
            return False
        unknown = HIT.objects.filter(connection=self.connection, publish_state=IntentionState.UNKNOWN)
        # What nobody knows the outcome of is found by its annotation, in the list.
        return not unknown.exists() and len(self._open().values("pk")[: last.pages]) < last.pages

    def _open(self) -> HITQuerySet[HIT]:
        """Our HITs of which MTurk may have something new to tell."""
        is_undecided = Assignment.objects.filter(hit=OuterRef("pk"), status=AssignmentStatus.SUBMITTED)
        may_change = Q(hit_status__in=[HITStatus.ASSIGNABLE, HITStatus.UNASSIGNABLE])
        may_change |= Q(Exists(is_undecided)) | Q(refetches_left__gt=0) | Q(fetch_wanted_at__isnull=False)
        return self._hits().at_the_market().filter(may_change)

    def _ask_for_open(self) -> None:
        """GetHIT for each of them instead of the whole list; whoever is gone is missing."""
        hits = list(self._open().order_by("pk"))
        for some in _portions(hits):
            _renew_lease(self.connection)
            with ThreadPoolExecutor(max_workers=min(THREADS, len(some))) as pool:
                shown = list(pool.map(lambda hit: self._get(str(hit.mturk_id)), some))
            pairs = list(zip(some, shown, strict=True))
            there = [(hit, remote) for hit, remote in pairs if isinstance(remote, RemoteHIT)]
            self._collect([pair for pair in there if pair[1].hit_status != HITStatus.DISPOSED], False)
            for hit, remote in pairs:
                if remote is None or (
                    isinstance(remote, RemoteHIT) and remote.hit_status == HITStatus.DISPOSED
                ):
                    self._note_absent(hit, remote)
            _raise_if_down(shown)

    def _get(self, hit_id: str) -> RemoteHIT | MTurkError | None:
        """None where there is no such HIT any more. Runs in a thread, without the database."""
        try:
            return self.gateway.get_hit(hit_id)
        except MTurkError as error:
            return None if error.is_gone else error

    def _is_full_sweep_due(self) -> bool:
        """Whether the last sweep that asked for everything open is a day old: the first of each day does."""
        before = Sweep.objects.filter(connection=self.connection, is_complete=True)
        last = before.filter(is_full=True).order_by("-begun_at").first()
        is_due = last is None or self.record.begun_at - last.begun_at >= FULL_SWEEP_EVERY
        self.record.is_full = is_due
        return is_due

    # Which HITs are ours -------------------------------------------------------------------------

    def _known(self, page: Sequence[RemoteHIT]) -> dict[str, HIT]:
        """HITId → our row; rows whose creation had an unknown outcome are recognised by their annotation."""
        ids = [remote.hit_id for remote in page]
        known = {str(hit.mturk_id): hit for hit in self._hits().filter(mturk_id__in=ids)}
        strangers = [remote for remote in page if remote.hit_id not in known]
        known.update(self._recognise(strangers))
        strangers = [remote for remote in strangers if remote.hit_id not in known]
        self.seen_elsewhere |= note_strangers(self.connection, strangers)
        self.record.hits_elsewhere += len(strangers)
        self.seen.update(hit.pk for hit in known.values())
        return known

    def _hits(self) -> HITQuerySet[HIT]:
        return HIT.objects.filter(connection=self.connection).select_related("batch__project")

    def _recognise(self, strangers: Sequence[RemoteHIT]) -> dict[str, HIT]:
        ours = Installation.current_id()
        annotated = {
            annotation.hit: remote
            for remote in strangers
            if (annotation := read_annotation(remote.requester_annotation))
            and annotation.installation == ours
        }
        found: dict[str, HIT] = {}
        for hit in self._hits().filter(public_id__in=annotated):
            remote = annotated[hit.public_id]
            if hit.mturk_id == remote.hit_id:
                found[remote.hit_id] = hit  # stored by its sender since the page was looked up
            elif hit.mturk_id is None:
                if self._adopt(hit, remote):
                    found[remote.hit_id] = hit
            else:
                found[remote.hit_id] = self._add_round(hit, remote)
        return found

    def _adopt(self, hit: HIT, remote: RemoteHIT) -> bool:
        """The row's creation did happen. A row somebody is sending right now is left to them."""
        hit_type = self._type_of(hit, remote)
        with transaction.atomic():
            store_remote_hits([(hit, remote)], hit_type)
            settled = record_outcomes(
                HIT,
                [Outcome(hit.pk, IntentionState.PUBLISHED, "Found at MTurk by its annotation.")],
                only=[IntentionState.UNKNOWN, IntentionState.QUEUED, IntentionState.FAILED],
            )
            if not settled:
                transaction.set_rollback(True)
                return False
            recount([hit.row_id])
            # A cancelled batch has one more HIT to expire.
            Batch.objects.filter(pk=hit.batch_id, state=BatchState.CANCELLED).update(ended_at=None)
        finish_if_done(hit.batch)
        hit.refresh_from_db()
        return True

    def _type_of(self, hit: HIT, remote: RemoteHIT) -> HITType | None:
        """The type MTurk shows; after a restore it may be one whose row was lost, made again by its terms."""
        known = HITType.objects.filter(connection=self.connection, mturk_id=remote.hit_type_id).first()
        if known is None:
            known = ensure_hit_type(hit.batch, gateway=self.gateway)
        return known if known.mturk_id == remote.hit_type_id else None

    def _add_round(self, hit: HIT, remote: RemoteHIT) -> HIT:
        """A second HIT of one row: its answers are collected and paid like any other's."""
        rounds = HIT.objects.filter(row=hit.row_id, group=hit.group)
        last = rounds.order_by("-round").values_list("round", flat=True)[0]
        with transaction.atomic():
            extra = HIT.objects.create(
                team_id=hit.team_id,
                connection_id=hit.connection_id,
                batch=hit.batch,
                row_id=hit.row_id,
                group=hit.group,
                round=last + 1,
                hit_type=hit.hit_type,
                max_assignments=remote.max_assignments,
                price_each=hit.price_each,
                reserved_on=hit.reserved_on,
                publish_state=IntentionState.PUBLISHED,
                mturk_id=remote.hit_id,
                hit_status=remote.hit_status,
                mturk_created_at=remote.created_at,
                expires_at=remote.expires_at,
                due_at=self.record.begun_at,
                by_rule="collecting",
                outcome="A second HIT of this row was found at MTurk; its answers count as a further round.",
            )
            recount([hit.row_id])
        return extra

    # What changed --------------------------------------------------------------------------------

    def _collect(self, listed: Sequence[tuple[HIT, RemoteHIT]], is_full: bool) -> None:
        self._store_status(listed)
        asked_anyway = self._with_open_answers(listed) if is_full else set()
        wanted = [
            (hit, remote) for hit, remote in listed if hit.pk in asked_anyway or _is_fetch_due(hit, remote)
        ]
        for some in _portions(_without_explained(wanted, asked_anyway)):
            _renew_lease(self.connection)
            fetched_at = clock.now()
            answers = _fetch_all([remote.hit_id for _, remote in some], self.gateway)
            fetched = [
                Fetched(hit, remote, found)
                for (hit, remote), found in zip(some, answers, strict=True)
                if not isinstance(found, MTurkError | None)
            ]
            self.record.hits_fetched += len(fetched)
            self.record.answers_new += store_fetched(self.connection, fetched, fetched_at=fetched_at)
            # What could be fetched is kept, so that sweeps over a bad line come to an end as well.
            _raise_if_down(answers)
            # Of the few that failed among others the counters may say nothing: a full sweep asked for them anyway.
            failed = [
                pair[0].pk for pair, found in zip(some, answers, strict=True) if isinstance(found, MTurkError)
            ]
            HIT.objects.filter(pk__in=failed).update(fetch_wanted_at=clock.now())

    def _with_open_answers(self, listed: Sequence[tuple[HIT, RemoteHIT]]) -> set[int]:
        """HITs whose answers may have changed without a counter showing it: overturned, or decided elsewhere."""
        is_open = Q(status=AssignmentStatus.SUBMITTED) | Q(
            status=AssignmentStatus.REJECTED, submitted_at__gte=self.record.begun_at - OVERTURN_WINDOW
        )
        assignments = Assignment.objects.filter(is_open, hit__in=[hit.pk for hit, _ in listed])
        return set(assignments.values_list("hit_id", flat=True))

    def _store_status(self, listed: Sequence[tuple[HIT, RemoteHIT]]) -> None:
        changed = name_changes(listed)
        for hit, remote in listed:
            unusable = _unusable(remote)
            fresh = (remote.hit_status, remote.expires_at, remote.max_assignments, None, unusable)
            if (
                hit.hit_status,
                hit.expires_at,
                hit.max_assignments,
                hit.missing_since,
                hit.unusable,
            ) != fresh:
                hit.hit_status, hit.expires_at, hit.max_assignments, hit.missing_since, hit.unusable = fresh
                changed.append(hit)
        with transaction.atomic():
            fields = [
                *("hit_status", "expires_at", "max_assignments", "missing_since", "unusable"),
                "changed_elsewhere",
            ]
            update_many(changed, fields)
            recount(hit.row_id for hit in changed)

    # What is not there ---------------------------------------------------------------------------

    def _ask_for_missing(self) -> None:
        """A HIT that the whole list did not show is missing only once GetHIT says so."""
        expected = (
            HIT.objects.published()
            .filter(connection=self.connection, missing_since__isnull=True)
            .filter(Q(last_sent_at__isnull=True) | Q(last_sent_at__lt=self.record.begun_at - LIST_LAG))
            .exclude(hit_status=HITStatus.DISPOSED)
            .values_list("pk", flat=True)
        )
        absent = [key for key in expected.iterator() if key not in self.seen][:MOST_MISSING_ASKED]
        for hit in HIT.objects.filter(pk__in=absent):
            self._ask_for(hit)

    def _ask_for(self, hit: HIT) -> None:
        remote = self._get(str(hit.mturk_id))
        if isinstance(remote, MTurkError):
            raise remote
        self._note_absent(hit, remote)

    def _note_absent(self, hit: HIT, remote: RemoteHIT | None) -> None:
        """What became of a HIT that no list shows any more: deleted, or not known at all."""
        if remote is None:
            hit.missing_since, hit.unusable = clock.now(), hit.max_assignments
        else:
            hit.hit_status, hit.unusable = remote.hit_status, _unusable(remote)
            name_deletion(hit)
        with transaction.atomic():
            hit.save(update_fields=["missing_since", "hit_status", "unusable", "changed_elsewhere"])
            recount([hit.row_id])

    def _count_sweeps_without(self) -> None:
        """Two complete sweeps, begun well after the last send, that do not show a row: it was never created."""
        lost = HIT.objects.filter(
            connection=self.connection,
            publish_state=IntentionState.UNKNOWN,
            last_sent_at__lt=self.record.begun_at - LIST_LAG,
        )
        if self._something_was_deleted():
            # What moves up in the list meanwhile can slip from one page past the next.
            lost.update(sweeps_without=0)
            return
        lost.update(sweeps_without=F("sweeps_without") + 1)
        never = lost.filter(sweeps_without__gte=2, batch__state=BatchState.CANCELLED)
        release(never, by=MARKET)
        never.update(publish_state=IntentionState.CANCELLED, outcome="MTurk does not have it; cancelled.")
        again = list(lost.filter(sweeps_without__gte=2).values_list("pk", flat=True))
        record_outcomes(
            HIT,
            [
                Outcome(
                    key, IntentionState.QUEUED, "MTurk does not have it; sent again.", never_happened=True
                )
                for key in again
            ],
            only=[IntentionState.UNKNOWN],
        )
        HIT.objects.filter(pk__in=again).update(sweeps_without=0)

    def _something_was_deleted(self) -> bool:
        deletions = Operation.objects.filter(connection=self.connection, kind=OperationKind.DELETE)
        return deletions.filter(last_sent_at__gte=self.record.begun_at).exists()


def _unusable(remote: RemoteHIT) -> int:
    """Slots that nobody has used and nobody can use: what is available of a HIT that is over."""
    return 0 if remote.hit_status in (HITStatus.ASSIGNABLE, HITStatus.UNASSIGNABLE) else remote.available


def _is_fetch_due(hit: HIT, remote: RemoteHIT) -> bool:
    """Whether the counters differ from those listed before the last fetch that held all they promised."""
    if hit.refetches_left or hit.fetch_wanted_at:
        return True
    if hit.listed_max is None and not remote.submitted_or_decided:
        # Never answered: there is nothing to fetch, and nothing to compare with later.
        return False
    return _listed(hit) != counters_of(remote)


def _without_explained(
    wanted: Sequence[tuple[HIT, RemoteHIT]], asked_anyway: set[int]
) -> list[tuple[HIT, RemoteHIT]]:
    """Those still to be fetched. Where an event has had a HIT fetched since it was last listed, and as many answers,
    as many of them decided, are held as its counters now show, there is nothing more to see: answers never go away
    and are never undecided again. These counters are stored as if it had been fetched for them.
    """
    apart = {
        hit.pk: (hit, remote)
        for hit, remote in wanted
        if hit.fetched_unlisted and not (hit.refetches_left or hit.fetch_wanted_at or hit.pk in asked_anyway)
    }
    if not apart:
        return list(wanted)
    is_decided = ~Q(status=AssignmentStatus.SUBMITTED)
    counts = Assignment.objects.filter(hit__in=apart).values("hit")
    explained = []
    for key, held, decided in counts.annotate(
        held=Count("pk"), decided=Count("pk", filter=is_decided)
    ).values_list("hit", "held", "decided"):
        hit, remote = apart[key]
        if (held, decided) == (remote.submitted_or_decided, remote.completed):
            set_listed(hit, remote)
            explained.append(hit)
    update_many(explained, LISTED_FIELDS)
    known = {hit.pk for hit in explained}
    return [(hit, remote) for hit, remote in wanted if hit.pk not in known]


# What MTurk answered, or why it did not; None for a HIT that is gone.
_Answer = list[RemoteAssignment] | MTurkError | None


def _fetch_all(hit_ids: Sequence[str], gateway: MTurkGateway) -> list[_Answer]:
    """All answers to each HIT, fetched by threads that touch no database."""

    def fetch(hit_id: str) -> _Answer:
        try:
            return gateway.list_assignments_for_hit(hit_id)
        except MTurkError as error:
            return None if error.is_gone else error

    with ThreadPoolExecutor(max_workers=min(THREADS, len(hit_ids))) as pool:
        return list(pool.map(fetch, hit_ids))


def _raise_if_down(answers: Sequence[object]) -> None:
    """Raise what went wrong where it is so much that going on makes no sense."""
    errors = [answer for answer in answers if isinstance(answer, MTurkError)]
    if errors and line_is_down(len(errors), len(answers)):
        raise errors[0]


def _raise_first(answers: Sequence[_Answer]) -> None:
    for error in answers:
        if isinstance(error, MTurkError):
            raise error


def _listed(hit: HIT) -> tuple[str, int | None, int | None, int | None, int | None]:
    return (
        hit.listed_status,
        hit.listed_max,
        hit.listed_available,
        hit.listed_pending,
        hit.listed_completed,
    )

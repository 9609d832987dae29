"""Events that MTurk sends to a Connection's queue: MTurk is told where to, and what comes is noted as HITs to fetch.

An event is a hint. It may come late, twice or never, so `collecting` sweeps on as if there were none.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from mturkhub.accounts.models import Connection, NotificationQueue
from mturkhub.common import clock
from mturkhub.gateway.client import PING, MTurkGateway
from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.event_queue import EventQueue, Message, RemoteEvent, StrangeMessage, read_events
from projects.models import HIT, Assignment, HITType

SUBMITTED = "AssignmentSubmitted"
# Every answer comes with it; whatever else happens is seen by the next sweep in time.
EVENTS = [SUBMITTED]
# What MTurk refused is tried again after a while: queues and policies are mended by people.
TELL_AGAIN = timedelta(minutes=10)
MOST_TYPES_AT_ONCE = 20

LEASE = timedelta(seconds=120)
# A queue that cannot be read is left alone for so long.
AFTER_TROUBLE = timedelta(seconds=60)
# Ten messages each; what is left is read in the next turn.
MOST_HANDFULS = 20


# Telling MTurk -----------------------------------------------------------------------------------


def tell_type(hit_type: HITType, *, gateway: MTurkGateway) -> None:
    """Have MTurk send the events of one HITType to its Connection's queue, once per type and queue.

    What goes wrong is named on the queue and holds nothing up.
    """
    queue = NotificationQueue.objects.filter(connection=hit_type.connection_id).first()
    if queue:
        _tell(hit_type, queue, gateway)


def tell_types_in_use(
    connection: Connection, queue: NotificationQueue | None, *, gateway: MTurkGateway
) -> None:
    """Tell MTurk of the queue, or that there is none any more, for every type of ours that does not know it yet."""
    types = HITType.objects.filter(connection=connection).exclude(mturk_id="")
    types = types.filter(Q(notify_due_at=None) | Q(notify_due_at__lte=clock.now()))
    if queue:
        # Types of HITs that were adopted may have notifications of somebody else's, which these would replace.
        ours = HIT.objects.working().filter(batch__adopted_at=None, batch__imported_at=None)
        in_use = Exists(ours.filter(hit_type=OuterRef("pk")))
        types = types.exclude(notified_queue=queue.url).filter(in_use)
    else:
        types = types.exclude(notified_queue="")
    for hit_type in types.order_by("pk")[:MOST_TYPES_AT_ONCE]:
        _tell(hit_type, queue, gateway)


def _tell(hit_type: HITType, queue: NotificationQueue | None, gateway: MTurkGateway) -> None:
    url, now = queue.url if queue else "", clock.now()
    if hit_type.notified_queue == url or (hit_type.notify_due_at and hit_type.notify_due_at > now):
        return
    try:
        gateway.update_notification_settings(hit_type.mturk_id, queue_url=url, event_types=EVENTS)
    except MTurkError as error:
        hit_type.notify_due_at = now + TELL_AGAIN
        if queue:
            note_trouble(queue, error.sentence)
    else:
        hit_type.notified_queue, hit_type.notify_due_at = url, None
    hit_type.save(update_fields=["notified_queue", "notify_due_at"])


# Listening ---------------------------------------------------------------------------------------


def listen(queue: NotificationQueue, *, messages: EventQueue) -> None:
    """Read the queue until it is empty, or for a turn; nothing when somebody else is at it.

    An MTurkError ends the turn and is told on the queue. Messages are deleted once what they say is committed, so
    whoever is killed in between hears them again.
    """
    if not _take_lease(queue):
        return
    rests_until = None
    try:
        for _ in range(MOST_HANDFULS):
            handful = messages.receive()
            if not handful:
                break
            _note(queue, handful)
            messages.delete(handful)
            _of(queue).update(lease_until=clock.real_now() + LEASE)
        _of(queue).update(read_at=clock.now())
    except MTurkError as error:
        note_trouble(queue, error.sentence)
        rests_until = clock.real_now() + AFTER_TROUBLE
    finally:
        _of(queue).update(lease_until=rests_until)


def note_trouble(queue: NotificationQueue, sentence: str) -> None:
    """Say on the queue what went wrong with it."""
    _of(queue).update(problem=sentence, problem_at=clock.now())


def _of(queue: NotificationQueue) -> QuerySet[NotificationQueue]:
    return NotificationQueue.objects.filter(pk=queue.pk)


def _take_lease(queue: NotificationQueue) -> bool:
    now = clock.real_now()
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    return _of(queue).filter(free).update(lease_until=now + LEASE) == 1


def _note(queue: NotificationQueue, handful: Sequence[Message]) -> None:
    """Wish for the HITs whose events came; committed when it returns."""
    events: list[RemoteEvent] = []
    ignored: list[str] = []
    for message in handful:
        try:
            events += read_events(message.body)
        except StrangeMessage as strange:
            ignored.append(str(strange))
    now = clock.now()
    with transaction.atomic(durable=True):
        known, held = _known(queue, events), _held(queue, events)
        _wish_for({known[each.hit_id] for each in events if each.hit_id in known and each not in held}, now)
        ignored += [_foreign(each) for each in events if each.hit_id not in known and each.event_type != PING]
        changes: dict[str, Any] = {}
        if ignored:
            changes |= {"ignored": F("ignored") + len(ignored), "ignored_last": ignored[-1]}
        if events:
            changes |= {"last_event": events[-1].event_type, "last_event_at": now}
        if any(event.event_type == PING for event in events):
            changes |= {"test_arrived_at": now, "problem": "", "problem_at": None}
        _of(queue).update(**changes)


def _wish_for(hits: set[int], now: datetime) -> None:
    locked = HIT.objects.filter(pk__in=hits).select_for_update(no_key=True).order_by("pk")
    HIT.objects.filter(pk__in=list(locked.values_list("pk", flat=True))).update(fetch_wanted_at=now)


def _foreign(event: RemoteEvent) -> str:
    of = f"the HIT {event.hit_id}" if event.hit_id else "no HIT"
    return f"an event {event.event_type} of {of}, which this connection does not know"


def _known(queue: NotificationQueue, events: Sequence[RemoteEvent]) -> dict[str, int]:
    """HITId → key of the Connection's HITs among them. What was read from a file is as the file says."""
    hits = HIT.objects.filter(
        connection=queue.connection_id,
        mturk_id__in={event.hit_id for event in events},
        batch__imported_at=None,
    )
    return {str(mturk_id): key for mturk_id, key in hits.values_list("mturk_id", "pk")}


def _held(queue: NotificationQueue, events: Sequence[RemoteEvent]) -> set[RemoteEvent]:
    """Those whose answers are here already, fetched by a sweep or for the same event before."""
    submitted = {event.assignment_id for event in events if event.event_type == SUBMITTED}
    held = Assignment.objects.filter(connection=queue.connection_id, mturk_id__in=submitted)
    found = set(held.values_list("mturk_id", flat=True))
    return {each for each in events if each.event_type == SUBMITTED and each.assignment_id in found}

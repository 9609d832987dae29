"""Writes down, in the transaction of an event, that its requester is to hear of it; `delivering` sends it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from marketplace.models import HIT, Assignment, Notification

# The version of the document, whichever of the two the requester named.
DOCUMENT_VERSION = "2014-08-15"


def announce(event_type: str, subjects: Iterable[HIT | Assignment], *, now: datetime) -> None:
    """Put an event about each HIT or Assignment into the outbox, where its HITType's requester wants it."""
    Notification.objects.bulk_create(
        Notification(
            requester_id=hit.requester_id,
            transport=place["Transport"],
            destination=place["Destination"],
            event=describe_event(
                event_type,
                hit_id=hit.mturk_id,
                hit_type_id=hit.hit_type.mturk_id,
                assignment_id=subject.mturk_id if isinstance(subject, Assignment) else None,
                now=now,
            ),
            created_at=now,
            due_at=now,
        )
        for subject in subjects
        for hit in [subject.hit if isinstance(subject, Assignment) else subject]
        if hit.hit_type.tells_of(event_type) and (place := hit.hit_type.notification)
    )


def describe_event(
    event_type: str, *, hit_id: str, hit_type_id: str, assignment_id: str | None, now: datetime
) -> dict[str, Any]:
    """One entry of a document's Events."""
    event = {
        "EventType": event_type,
        "EventTimestamp": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "HITId": hit_id,
        "HITTypeId": hit_type_id,
    }
    return event | ({"AssignmentId": assignment_id} if assignment_id else {})


def document(notification: Notification) -> dict[str, Any]:
    """The document in which an event travels."""
    return {
        "Events": [notification.event],
        "EventDocId": notification.document_id,
        "SourceAccount": notification.requester.account_number,
        "CustomerId": notification.requester.mturk_id,
        "EventDocVersion": DOCUMENT_VERSION,
    }

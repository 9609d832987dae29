"""What requesters write to Workers, and what Workers are told for them; read on the worker site."""

from collections.abc import Iterable
from datetime import datetime

from django.utils.translation import gettext as _

from marketplace.models import Message, Qualification, Worker

LONGEST_SUBJECT = 200


def write(requester_id: int, workers: Iterable[Worker], subject: str, text: str, *, now: datetime) -> None:
    """Put a message into each Worker's inbox and the requester's sent mail."""
    Message.objects.bulk_create(
        Message(requester_id=requester_id, worker=worker, subject=subject, text=text, sent_at=now)
        for worker in workers
    )


def tell_of_grant(held: Qualification, *, now: datetime) -> None:
    """Tell a Worker what they were given, as MTurk's mail does."""
    text = _("You can now do work that asks for it.")
    if held.value is not None:
        text = _("Your score is %(value)s.") % {"value": held.value} + f" {text}"
    _tell(held, _("You have the qualification “%(name)s”"), text, now=now)


def tell_of_revocation(held: Qualification, *, now: datetime) -> None:
    """Tell a Worker that a Qualification was taken back, and why."""
    text = held.revoke_reason or _("The requester gave no reason.")
    _tell(held, _("The qualification “%(name)s” was taken back"), text, now=now)


def _tell(held: Qualification, subject: str, text: str, *, now: datetime) -> None:
    kind = held.qualification_type
    shown = (subject % {"name": kind.name})[:LONGEST_SUBJECT]
    write(kind.requester_id, [held.worker], shown, text, now=now)

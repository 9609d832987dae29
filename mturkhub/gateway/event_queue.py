"""An SQS queue that MTurk sends events to: its address, its policy, its messages, and what stands in them."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore import exceptions as boto

from mturkhub.gateway.client import client_for, secrets_of, without_secrets
from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.failures import explain

# As many as SQS hands out and deletes at a time.
AT_A_TIME = 10
# MTurk's documents are a few hundred bytes; whatever is longer, or tells of more, was not sent by it.
_MOST_BYTES = 64 * 1024
_MOST_EVENTS = 1000
_MOST_WORDS = 500

_AMAZON = re.compile(
    r"https://sqs\.([a-z]{2}-[a-z]+-[0-9])\.amazonaws\.com/([0-9]{12})/([A-Za-z0-9_-]{1,80})\Z"
)
_OTHER = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+/([A-Za-z0-9_-]+)/([A-Za-z0-9_-]{1,80})\Z")
_REGION = "us-east-1"
_ID = re.compile(r"[A-Z0-9]{1,64}\Z")
_TYPE = re.compile(r"[A-Za-z]{1,64}\Z")


# Where it is -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class QueueAddress:
    """A queue's URL, taken apart."""

    url: str
    region: str
    account: str
    name: str
    is_amazons: bool

    @property
    def endpoint(self) -> str:
        """Where its host is called."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def arn(self) -> str:
        return f"arn:aws:sqs:{self.region}:{self.account}:{self.name}"

    @property
    def policy(self) -> str:
        """The queue policy, as JSON, that lets MTurk send to it, by TLS alone."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "mturk-requester.amazonaws.com"},
            "Action": "SQS:SendMessage",
            "Resource": self.arn,
            "Condition": {"Bool": {"aws:SecureTransport": "true"}},
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)


def read_address(url: str) -> QueueAddress | None:
    """The parts of a standard queue's URL, as SQS and its look-alikes write them; None for anything else."""
    if found := _AMAZON.match(url):
        return QueueAddress(url, found[1], found[2], found[3], is_amazons=True)
    if found := _OTHER.match(url):
        return QueueAddress(url, _REGION, found[1], found[2], is_amazons=False)
    return None


# What stands in it -------------------------------------------------------------------------------


@dataclass(frozen=True)
class RemoteEvent:
    """One thing that happened at MTurk; ids are empty where the event has none."""

    event_type: str
    hit_id: str
    assignment_id: str


class StrangeMessage(Exception):
    """A message that MTurk did not write; the text says in a few words of ours what it is."""


def read_events(body: str) -> list[RemoteEvent]:
    """The events of a message: MTurk's document, or the envelope in which a topic passes it on."""
    document = _json(body)
    if document.get("Type") == "Notification" and isinstance(document.get("Message"), str):
        document = _json(document["Message"])
    events = document.get("Events")
    if not isinstance(events, list) or not events:
        raise StrangeMessage("a message without events")
    if len(events) > _MOST_EVENTS:
        raise StrangeMessage(f"a message with more than {_MOST_EVENTS:,} events")
    return [_event(event) for event in events]


def _json(text: str) -> dict[str, Any]:
    if len(text.encode("utf-8", "replace")) > _MOST_BYTES:
        raise StrangeMessage(f"a message of more than {_MOST_BYTES // 1024} KB")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise StrangeMessage("a message that is not JSON") from None
    if not isinstance(document, dict):
        raise StrangeMessage("a message that is no document of events")
    return document


def _event(event: Any) -> RemoteEvent:
    if not isinstance(event, dict):
        raise StrangeMessage("a message whose events are none")
    kind, hit_id, assignment_id = (event.get(name) or "" for name in ("EventType", "HITId", "AssignmentId"))
    well_formed = isinstance(kind, str) and _TYPE.match(kind) and _is_id(hit_id) and _is_id(assignment_id)
    if not well_formed:
        raise StrangeMessage("a message whose events have no readable type or ids")
    return RemoteEvent(kind, hit_id, assignment_id)


def _is_id(value: Any) -> bool:
    return value == "" or (isinstance(value, str) and _ID.match(value) is not None)


# Its messages ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Message:
    """What SQS handed out; it comes again unless it is deleted by its receipt."""

    body: str
    receipt: str


class EventQueue:
    """One queue, with one requester's keys or the server's own; every failure is an MTurkError."""

    def __init__(
        self, address: QueueAddress, access_key_id: str | None, secret_access_key: str | None
    ) -> None:
        self.address = address
        self._secrets = secrets_of(access_key_id, secret_access_key)
        self._where = urlsplit(address.url).netloc
        try:
            self._client = client_for(
                "sqs", address.endpoint, access_key_id, secret_access_key, region=address.region
            )
        except boto.BotoCoreError as error:
            raise self._explain(error, "") from None

    def __repr__(self) -> str:
        return f"<EventQueue {self.address.url}>"

    def receive(self) -> list[Message]:
        """Up to ten messages that lie there now; nothing is waited for."""
        answer = self._call(
            "receive_message", "ReceiveMessage", MaxNumberOfMessages=AT_A_TIME, WaitTimeSeconds=0
        )
        return [
            Message(message.get("Body", ""), message["ReceiptHandle"])
            for message in answer.get("Messages") or []
        ]

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete what was received together. What SQS could not delete comes again, which does no harm."""
        entries = [
            {"Id": str(number), "ReceiptHandle": message.receipt} for number, message in enumerate(messages)
        ]
        self._call("delete_message_batch", "DeleteMessageBatch", Entries=entries)

    def _call(self, method: str, operation: str, **parameters: Any) -> Any:
        try:
            return getattr(self._client, method)(QueueUrl=self.address.url, **parameters)
        except Exception as error:
            raise self._explain(error, operation) from error

    def _explain(self, error: Exception, operation: str) -> MTurkError:
        explained = explain(error, operation=operation, where=self._where)
        if "NonExistentQueue" in explained.kind or "QueueDoesNotExist" in explained.kind:
            explained.sentence = f"There is no queue {self.address.name} at {self._where}. Was it deleted?"
        elif explained.kind in {"AccessDenied", "AccessDeniedException"}:
            explained.sentence = (
                f"These keys may not read the queue {self.address.name}. Allow them sqs:ReceiveMessage and "
                f"sqs:DeleteMessage on {self.address.arn}."
            )
        else:
            explained.sentence = explained.sentence.replace("MTurk refused", f"{self._where} refused", 1)
            explained.sentence = explained.sentence[:_MOST_WORDS]
        return without_secrets(explained, self._secrets())

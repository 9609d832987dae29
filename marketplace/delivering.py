"""Sends what is in the outbox to queues and topics that the operator has listed; at least once, with back-off."""

import json
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.httpsession import URLLib3Session
from django.conf import settings
from django.db import transaction

from marketplace import clock, outbox
from marketplace.models import Notification

logger = logging.getLogger(__name__)

REGION = "us-east-1"
_CONNECT_SECONDS, _READ_SECONDS = 3, 5
# Longer than the longest attempt: whoever has not finished by then was killed.
_LEASE = timedelta(seconds=60)
_LONGEST_WAIT = timedelta(minutes=15)
# As long as a queue would keep it.
GIVE_UP_AFTER = timedelta(days=14)


class Undeliverable(Exception):
    """The endpoint did not take a document; the text says what it said."""


def is_listed(transport: str, destination: str) -> bool:
    """Whether the operator lets documents be sent there."""
    return _sender(transport, destination) is not None


def deliver_due() -> int:
    """Try once everything that is due; says how many documents were taken."""
    taken = 0
    while notification := _claim():
        try:
            send(notification)
        except Undeliverable as error:
            _put_off(notification, str(error))
        else:
            notification.delete()
            taken += 1
    return taken


def send(notification: Notification) -> None:
    """Hand one document to its endpoint, or raise Undeliverable."""
    sender = _sender(notification.transport, notification.destination)
    if sender is None:
        raise Undeliverable("The operator of this marketplace does not list this address.")
    try:
        sender(notification.destination, json.dumps(outbox.document(notification)))
    except ClientError as error:
        raise Undeliverable(error.response["Error"].get("Message") or str(error)) from error
    except (BotoCoreError, HTTPClientError, ValueError) as error:
        raise Undeliverable(str(error)) from error


@transaction.atomic
def _claim() -> Notification | None:
    now = clock.now()
    due = Notification.objects.filter(due_at__lte=now).select_related("requester")
    notification = due.select_for_update(of=("self",), skip_locked=True).order_by("due_at").first()
    if notification is None:
        return None
    notification.attempts += 1
    notification.due_at = now + _LEASE
    notification.save(update_fields=["attempts", "due_at"])
    return notification


def _put_off(notification: Notification, error: str) -> None:
    now = clock.now()
    if notification.created_at <= now - GIVE_UP_AFTER:
        logger.warning("Notification %s was given up: %s", notification.document_id, error[:500])
        notification.delete()
        return
    notification.due_at = now + _wait(notification.attempts)
    notification.error = error[:2000]
    notification.save(update_fields=["due_at", "error"])
    # What else waits for the same address need not find out one by one, while others wait.
    Notification.objects.filter(destination=notification.destination, due_at__lte=now).update(
        due_at=notification.due_at
    )


def _wait(attempts: int) -> timedelta:
    return min(_LONGEST_WAIT, timedelta(seconds=2 ** min(attempts, 20)))


# Endpoints ---------------------------------------------------------------------------------------

_Sender = Callable[[str, str], None]


def _sender(transport: str, destination: str) -> _Sender | None:
    """How to send there, if the operator's list has it."""
    listed = settings.NOTIFICATION_ENDPOINTS
    if transport == "SNS" and listed["sns"]:
        return _send_to_topic
    if transport == "SQS" and destination in listed["post"]:
        return _send_by_post
    for address in listed["sqs"]:
        if transport == "SQS" and destination.startswith(address):
            return _send_to_queue
    return None


def _send_to_queue(url: str, body: str) -> None:
    # The host is the listed one: the address begins with it, up to the slash.
    endpoint = "/".join(url.split("/", 3)[:3])
    _client("sqs", endpoint, settings.NOTIFICATION_KEYS).send_message(QueueUrl=url, MessageBody=body)


def _send_to_topic(arn: str, body: str) -> None:
    endpoint = settings.NOTIFICATION_ENDPOINTS["sns"][0]
    _client("sns", endpoint, settings.NOTIFICATION_KEYS).publish(
        TopicArn=arn, Message=body, Subject=str(int(time.time() * 1000))
    )


def _send_by_post(url: str, body: str) -> None:
    request = AWSRequest("POST", url, data=body.encode(), headers={"Content-Type": "application/json"})
    # It follows no redirects, so nothing but the listed address is called.
    answer = URLLib3Session(timeout=_READ_SECONDS).send(request.prepare())
    if not 200 <= answer.status_code < 300:
        raise Undeliverable(f"The address answered {answer.status_code}.")


@cache
def _client(service: str, endpoint: str, keys: tuple[str, str]) -> Any:
    key_id, secret = keys
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=key_id or None,
        aws_secret_access_key=secret or None,
        config=Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            # The only retry loop is the outbox.
            retries={"total_max_attempts": 1},
            proxies={},
            # Without keys of its own the marketplace signs nothing, rather than with whatever the machine offers.
            **({} if key_id else {"signature_version": UNSIGNED}),
        ),
    )

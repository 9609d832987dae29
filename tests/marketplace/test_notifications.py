"""Telling requesters of events: which, where to, in what form, at least once."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
from django.db import transaction
from pytest_django import Settings

from marketplace import clock, clockwork, delivering, lifecycle
from marketplace.models import HIT, HITType, Notification
from marketplace.outbox import announce
from tests.marketplace.conftest import TYPE, Market
from tests.marketplace.refusals import refused

PAST = datetime(1970, 1, 1, tzinfo=UTC)
# Nothing listens there: the port is reserved.
NOBODY = "http://127.0.0.1:1/"
EVENTS = [
    *(
        f"Assignment{each}"
        for each in ("Accepted", "Abandoned", "Returned", "Submitted", "Rejected", "Approved")
    ),
    *(f"HIT{each}" for each in ("Created", "Expired", "Reviewable", "Extended", "Disposed")),
]


def specification(destination: str, **members: Any) -> dict[str, Any]:
    return {
        "Destination": destination,
        "Transport": "SQS",
        "Version": "2014-08-15",
        "EventTypes": EVENTS,
    } | members


@pytest.fixture
def told(market: Market, settings: Settings) -> str:
    """A HITType whose events all go into the outbox, for an address where nobody is."""
    settings.NOTIFICATION_ENDPOINTS = {"sqs": [NOBODY], "sns": [], "post": []}
    type_id = market.mturk.create_hit_type(**TYPE)["HITTypeId"]
    market.mturk.update_notification_settings(HITTypeId=type_id, Notification=specification(f"{NOBODY}queue"))
    return type_id


def outbox() -> list[str]:
    """The types of the events in the outbox, which is emptied."""
    found = [row.event["EventType"] for row in Notification.objects.order_by("pk")]
    Notification.objects.all().delete()
    return found


# Which events there are ----------------------------------------------------------------------------


def test_the_life_of_a_hit_is_told_event_by_event(market: Market, told: str) -> None:
    hit = market.create_hit(MaxAssignments=2)
    assert outbox() == ["HITCreated"]

    good = market.submit(hit)
    assert outbox() == ["AssignmentAccepted", "AssignmentSubmitted"]
    lifecycle.return_assignment(market.accept(hit).mturk_id)
    assert outbox() == ["AssignmentAccepted", "AssignmentReturned"]
    bad = market.submit(hit)
    assert outbox() == ["AssignmentAccepted", "AssignmentSubmitted", "HITReviewable"]

    market.mturk.approve_assignment(AssignmentId=good.mturk_id)
    market.mturk.reject_assignment(AssignmentId=bad.mturk_id, RequesterFeedback="no")
    market.mturk.approve_assignment(AssignmentId=bad.mturk_id, OverrideRejection=True)
    assert outbox() == ["AssignmentApproved", "AssignmentRejected", "AssignmentApproved"]

    market.mturk.create_additional_assignments_for_hit(HITId=hit.mturk_id, NumberOfAdditionalAssignments=1)
    market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=clock.now() + timedelta(days=2))
    assert outbox() == ["HITExtended", "HITExtended"]
    market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=PAST)
    assert outbox() == ["HITExpired", "HITReviewable"]
    market.mturk.delete_hit(HITId=hit.mturk_id)
    assert outbox() == ["HITDisposed"]


def test_what_time_does_is_told_once(market: Market, told: str) -> None:
    hit = market.create_hit(MaxAssignments=2)
    market.submit(hit)
    market.accept(hit)
    outbox()

    market.wait(minutes=11)
    lifecycle.apply_due()
    assert outbox() == ["AssignmentAbandoned"]
    market.wait(minutes=50)
    lifecycle.apply_due()
    assert outbox() == ["AssignmentApproved"]
    market.wait(days=1)
    for _ in range(2):
        lifecycle.apply_due()
    assert outbox() == ["HITExpired", "HITReviewable"]
    market.wait(days=120)
    for _ in range(2):
        clockwork.tidy()
    assert outbox() == ["HITDisposed"]


def test_time_over_while_somebody_works_is_told_before_it_can_be_reviewed(market: Market, told: str) -> None:
    hit = market.create_hit(LifetimeInSeconds=60)
    assignment = market.accept(hit)
    outbox()

    market.wait(minutes=2)
    lifecycle.apply_due()
    assert outbox() == ["HITExpired"]
    lifecycle.submit_assignment(assignment.mturk_id, [("colour", "red")])
    assert outbox() == ["AssignmentSubmitted", "HITReviewable"]


def test_time_over_after_all_work_is_done_is_not_worth_telling(market: Market, told: str) -> None:
    hit = market.create_hit()
    market.submit(hit)
    market.wait(hours=23)
    lifecycle.apply_due()
    outbox()

    market.wait(hours=2)
    lifecycle.apply_due()
    market.mturk.update_expiration_for_hit(HITId=hit.mturk_id, ExpireAt=PAST)
    market.mturk.create_additional_assignments_for_hit(HITId=hit.mturk_id, NumberOfAdditionalAssignments=1)
    lifecycle.apply_due()
    assert outbox() == ["HITExtended"]


def test_a_hit_taken_back_from_review_is_reviewable_again(market: Market, told: str) -> None:
    hit = market.create_hit()
    market.submit(hit)
    outbox()

    market.mturk.update_hit_review_status(HITId=hit.mturk_id)
    assert outbox() == []
    market.mturk.update_hit_review_status(HITId=hit.mturk_id, Revert=True)
    assert outbox() == ["HITReviewable"]


def test_an_event_is_told_only_if_what_it_tells_of_happened(market: Market, told: str) -> None:
    hit = market.create_hit()
    outbox()

    with transaction.atomic():
        market.accept(hit)
        transaction.set_rollback(True)

    assert outbox() == []


@pytest.mark.parametrize(
    "members",
    [{"Active": False}, {"Notification": specification(f"{NOBODY}queue", EventTypes=["HITExpired"])}],
)
def test_what_nobody_asked_for_is_not_told(market: Market, told: str, members: dict[str, Any]) -> None:
    market.mturk.update_notification_settings(HITTypeId=told, **members)

    market.submit(market.create_hit())

    assert outbox() == []


def test_only_hits_of_that_type_are_told_of(market: Market, told: str) -> None:
    market.create_hit(Title="Another")

    assert outbox() == []


# What may be asked for -----------------------------------------------------------------------------


def test_a_new_specification_replaces_the_old_one(market: Market, told: str) -> None:
    market.mturk.update_notification_settings(
        HITTypeId=told, Notification=specification(f"{NOBODY}other", Version="2006-05-05"), Active=True
    )
    market.create_hit()

    assert Notification.objects.get().destination == f"{NOBODY}other"


def test_switching_off_and_on_keeps_the_place(market: Market, told: str) -> None:
    for active in (False, True):
        market.mturk.update_notification_settings(HITTypeId=told, Active=active)
    market.create_hit()

    assert outbox() == ["HITCreated"]


@pytest.mark.parametrize(
    ("members", "kind", "code"),
    [
        ({}, "ParameterValidationError", ""),
        ({"Active": True, "HITTypeId": "3NONE"}, "RequestError", "HITTypeDoesNotExist"),
        # what the specification may hold
        ({"Notification": {"Version": "2020-01-01"}}, "ParameterValidationError", ""),
        ({"Notification": {"EventTypes": []}}, "ParameterValidationError", ""),
        ({"Notification": {"EventTypes": ["Ping"]}}, "ParameterValidationError", ""),
        ({"Notification": {"EventTypes": ["Nope"]}}, "ParameterValidationError", ""),
        ({"Notification": {"Transport": "Pigeon"}}, "ParameterValidationError", ""),
        ({"Notification": {"Destination": "queue"}}, "ParameterValidationError", ""),
        ({"Notification": {"Destination": "http://[/queue"}}, "ParameterValidationError", ""),
        ({"Notification": {"Transport": "SNS"}}, "ParameterValidationError", ""),
        # where it may go
        ({"Notification": {"Transport": "Email"}}, "RequestError", "InvalidTransportEndpoint"),
        (
            {"Notification": {"Destination": "http://127.0.0.1:1.example.org/queue"}},
            "RequestError",
            "InvalidTransportEndpoint",
        ),
        (
            {"Notification": {"Destination": "http://127.0.0.1:1@example.org/queue"}},
            "RequestError",
            "InvalidTransportEndpoint",
        ),
        (
            {"Notification": {"Destination": "http://127.0.0.1:2/"}},
            "RequestError",
            "InvalidTransportEndpoint",
        ),
        (
            {"Notification": {"Transport": "SNS", "Destination": "arn:aws:sns:us-east-1:123456789012:topic"}},
            "RequestError",
            "InvalidTransportEndpoint",
        ),
    ],
)
def test_what_makes_no_sense_or_is_not_listed_is_refused_and_changes_nothing(
    market: Market, told: str, members: dict[str, Any], kind: str, code: str
) -> None:
    before = HITType.objects.values().get()
    if "Notification" in members:
        members = members | {"Notification": specification(f"{NOBODY}queue") | members["Notification"]}

    with refused() as refusal:
        market.mturk.update_notification_settings(**{"HITTypeId": told} | members)

    assert (refusal.kind, refusal.code) == (kind, code)
    assert HITType.objects.values().get() == before


def test_a_type_that_goes_nowhere_cannot_be_switched_on(market: Market) -> None:
    type_id = market.mturk.create_hit_type(**TYPE)["HITTypeId"]

    with refused() as refusal:
        market.mturk.update_notification_settings(HITTypeId=type_id, Active=True)

    assert refusal.kind == "ParameterValidationError"


def test_another_requesters_type_does_not_exist(told: str, make_market: Callable[[str], Market]) -> None:
    with refused() as refusal:
        make_market("Newsroom").mturk.update_notification_settings(HITTypeId=told, Active=False)

    assert refusal.code == "HITTypeDoesNotExist"


# Delivery: real queues and topics ------------------------------------------------------------------


def queue_client(url: str, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


class Queue:
    """A queue that can be read empty."""

    def __init__(self, server: str, name: str) -> None:
        self._sqs = queue_client(server, "sqs")
        self.url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn = attributes["Attributes"]["QueueArn"]

    def bodies(self) -> list[Any]:
        found = []
        while messages := self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return found


@pytest.fixture
def queue(queues: str) -> Queue:
    """A queue on a server that the marketplace of this run may deliver to."""
    return Queue(queues, f"events-{uuid.uuid4()}")


def subscribe(market: Market, destination: str, **members: Any) -> None:
    type_id = market.mturk.create_hit_type(**TYPE)["HITTypeId"]
    market.mturk.update_notification_settings(
        HITTypeId=type_id, Notification=specification(destination, **members)
    )


def test_a_queue_gets_the_document_of_mturk(market: Market, queue: Queue) -> None:
    subscribe(market, queue.url)
    hit = market.create_hit()
    assignment = market.submit(hit)

    assert delivering.deliver_due() == 4
    assert not Notification.objects.exists()

    bodies = {body["Events"][0]["EventType"]: body for body in queue.bodies()}
    assert bodies.keys() == {"HITCreated", "AssignmentAccepted", "AssignmentSubmitted", "HITReviewable"}
    body = bodies["AssignmentSubmitted"]
    assert body["CustomerId"] == market.requester.mturk_id
    assert body["EventDocVersion"] == "2014-08-15"
    assert len(body["EventDocId"]) == 40
    assert len(body["SourceAccount"]) == 12
    assert body["Events"] == [
        {
            "EventType": "AssignmentSubmitted",
            "EventTimestamp": f"{assignment.submitted_at:%Y-%m-%dT%H:%M:%SZ}",
            "HITId": hit.mturk_id,
            "HITTypeId": hit.hit_type.mturk_id,
            "AssignmentId": assignment.mturk_id,
        }
    ]
    assert "AssignmentId" not in bodies["HITCreated"]["Events"][0]
    assert assignment.worker.mturk_id not in json.dumps(body)


def test_a_topic_gets_it_in_an_envelope(market: Market, queue: Queue, queues: str) -> None:
    sns = queue_client(queues, "sns")
    topic = sns.create_topic(Name="events")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    subscribe(market, topic, Transport="SNS")
    market.create_hit()

    assert delivering.deliver_due() == 1

    [envelope] = queue.bodies()
    assert (envelope["Type"], envelope["TopicArn"]) == ("Notification", topic)
    assert envelope["Subject"].isdigit()
    assert json.loads(envelope["Message"])["Events"][0]["EventType"] == "HITCreated"


def test_the_test_event_is_sent_at_once_whatever_was_asked_for(market: Market, queue: Queue) -> None:
    for event_type in ("Ping", "AssignmentSubmitted"):
        market.mturk.send_test_event_notification(
            Notification=specification(queue.url, EventTypes=["HITExpired"]), TestEventType=event_type
        )

    events = {body["Events"][0]["EventType"]: body["Events"][0] for body in queue.bodies()}
    assert events.keys() == {"Ping", "AssignmentSubmitted"}
    assert "AssignmentId" in events["AssignmentSubmitted"]
    assert "AssignmentId" not in events["Ping"]
    assert not Notification.objects.exists()


def test_a_test_event_nobody_takes_is_an_error(market: Market, queue: Queue) -> None:
    with refused() as refusal:
        market.mturk.send_test_event_notification(
            Notification=specification(f"{queue.url}-that-is-not-there"), TestEventType="Ping"
        )

    assert (refusal.kind, refusal.code) == ("RequestError", "InvalidTransportEndpoint")
    assert refusal.message.startswith("The test event could not be delivered: ")


class Hook(BaseHTTPRequestHandler):
    """Remembers what was posted, and answers as it is told."""

    posted: list[Any] = []
    status = 200

    def do_POST(self) -> None:
        Hook.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(Hook.status)
        self.send_header("Location", NOBODY)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hook(settings: Settings) -> Iterator[str]:
    """An address that takes a plain POST."""
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        Hook.posted, Hook.status = [], 200
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/hook"
        settings.NOTIFICATION_ENDPOINTS = {"sqs": [], "sns": [], "post": [url]}
        yield url
        server.shutdown()
        thread.join()


def test_a_listed_address_gets_a_plain_post(market: Market, hook: str) -> None:
    subscribe(market, hook)
    market.create_hit()

    assert delivering.deliver_due() == 1
    assert Hook.posted[0]["Events"][0]["EventType"] == "HITCreated"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_what_was_not_taken_is_tried_again_later_as_the_same_document(
    market: Market, hook: str, status: int
) -> None:
    subscribe(market, hook)
    market.create_hit()
    Hook.status = status

    assert delivering.deliver_due() == 0
    waiting = Notification.objects.get()
    assert (waiting.attempts, waiting.error) == (1, f"The address answered {status}.")
    assert waiting.due_at > clock.now()
    # Not before it is due.
    assert delivering.deliver_due() == 0
    assert len(Hook.posted) == 1

    Hook.status = 200
    market.wait(minutes=1)
    assert delivering.deliver_due() == 1
    assert len({posted["EventDocId"] for posted in Hook.posted}) == 1


def test_waits_double_up_to_a_quarter_of_an_hour(market: Market, told: str) -> None:
    market.create_hit()
    waits = []
    for _ in range(12):
        delivering.deliver_due()
        waits.append(round((Notification.objects.get().due_at - clock.now()).total_seconds()))
        market.wait(minutes=15)

    assert waits[-3:] == [900, 900, 900]
    assert waits == sorted(waits)


def test_one_dead_address_is_asked_once_a_pass_for_all_that_waits(market: Market, told: str) -> None:
    for _ in range(5):
        market.create_hit()

    delivering.deliver_due()

    assert sum(Notification.objects.values_list("attempts", flat=True)) == 1
    assert Notification.objects.filter(due_at__gt=clock.now()).count() == 5


def test_whoever_was_killed_while_sending_loses_nothing(market: Market, hook: str) -> None:
    subscribe(market, hook)
    market.create_hit()
    # Claimed, and then nothing more.
    assert delivering._claim() is not None
    assert delivering.deliver_due() == 0

    market.wait(minutes=2)
    assert delivering.deliver_due() == 1


def test_what_nobody_takes_for_two_weeks_is_given_up(market: Market, told: str) -> None:
    market.create_hit()
    market.wait(days=15)

    delivering.deliver_due()

    assert not Notification.objects.exists()


def test_an_address_no_longer_listed_gets_nothing(market: Market, hook: str, settings: Settings) -> None:
    subscribe(market, hook)
    market.create_hit()
    settings.NOTIFICATION_ENDPOINTS = {"sqs": [], "sns": [], "post": []}

    assert delivering.deliver_due() == 0
    assert Hook.posted == []
    assert "does not list this address" in Notification.objects.get().error


def test_a_type_that_tells_nobody_costs_no_query(market: Market, django_assert_num_queries: Any) -> None:
    hit = HIT.objects.select_related("hit_type").get(pk=market.create_hit().pk)
    now = clock.now()

    with django_assert_num_queries(0):
        announce("HITCreated", [hit], now=now)

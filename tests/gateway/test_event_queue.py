"""What is a queue's address, and what a message in it says; whoever may send to it may send anything."""

import json

import pytest

from mturkhub.gateway.event_queue import RemoteEvent, StrangeMessage, read_address, read_events

AMAZONS = "https://sqs.us-east-1.amazonaws.com/123456789012/events"
# The document of MTurk's developer guide.
DOCUMENT = """{"Events":[{"EventType":"AssignmentSubmitted","EventTimestamp":"2019-08-09T21:17:16Z",
  "HITId":"3HIT","AssignmentId":"3ASSIGNMENT","HITTypeId":"3TYPE"}],
  "EventDocId":"7a1c5ac2e9bb3e6bd5a9a3a8dd5a1d7e8e8c1a35","SourceAccount":"123456789012","CustomerId":"A1CUSTOMER",
  "EventDocVersion":"2014-08-15"}"""


# Addresses ---------------------------------------------------------------------------------------


def test_a_queue_of_amazons_is_known_with_its_region_and_arn() -> None:
    address = read_address("https://sqs.eu-central-1.amazonaws.com/123456789012/mturkhub-events_2")

    assert address is not None
    assert (address.endpoint, address.is_amazons) == ("https://sqs.eu-central-1.amazonaws.com", True)
    assert address.arn == "arn:aws:sqs:eu-central-1:123456789012:mturkhub-events_2"


def test_the_policy_lets_mturk_alone_send_and_by_tls_alone() -> None:
    address = read_address(AMAZONS)

    assert address is not None
    assert json.loads(address.policy) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "mturk-requester.amazonaws.com"},
                "Action": "SQS:SendMessage",
                "Resource": "arn:aws:sqs:us-east-1:123456789012:events",
                "Condition": {"Bool": {"aws:SecureTransport": "true"}},
            }
        ],
    }


def test_a_look_alike_is_known_by_the_form_of_its_address() -> None:
    address = read_address("http://127.0.0.1:9324/000000000000/events")

    assert address is not None
    assert (address.endpoint, address.name, address.is_amazons) == ("http://127.0.0.1:9324", "events", False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "events",
        "arn:aws:sqs:us-east-1:123456789012:events",
        "ftp://127.0.0.1/0/events",
        "https://sqs.us-east-1.amazonaws.com/",
        f"{AMAZONS}.fifo",
        f"{AMAZONS}?x=1",
        f"{AMAZONS}\n",
        "https://user:word@127.0.0.1/0/events",
        "http://127.0.0.1:9324/000000000000/../events",
    ],
)
def test_anything_else_is_no_queue(url: str) -> None:
    assert read_address(url) is None


def test_what_only_looks_like_amazons_is_not_amazons() -> None:
    for url in (
        "http://sqs.us-east-1.amazonaws.com/123456789012/events",
        "https://sqs.us-east-1.amazonaws.com.example.org/123456789012/events",
        "https://evil.example/123456789012/sqs",
    ):
        address = read_address(url)
        assert address is not None
        assert not address.is_amazons


# Messages ----------------------------------------------------------------------------------------


def test_mturks_document_is_read() -> None:
    assert read_events(DOCUMENT) == [RemoteEvent("AssignmentSubmitted", "3HIT", "3ASSIGNMENT")]


def test_several_events_of_one_document_are_read_in_their_order() -> None:
    body = json.dumps({"Events": [{"EventType": "HITReviewable", "HITId": f"3HIT{each}"} for each in "ABC"]})

    assert [event.hit_id for event in read_events(body)] == ["3HITA", "3HITB", "3HITC"]


def test_a_topics_envelope_is_opened() -> None:
    envelope = json.dumps({"Type": "Notification", "MessageId": "1", "Subject": "0", "Message": DOCUMENT})

    assert read_events(envelope) == read_events(DOCUMENT)


def test_an_envelope_is_opened_once() -> None:
    body = DOCUMENT
    for _ in range(2):
        body = json.dumps({"Type": "Notification", "Message": body})

    with pytest.raises(StrangeMessage):
        read_events(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "not JSON"),
        ("hello", "not JSON"),
        (DOCUMENT[:100], "not JSON"),
        ("[" * 30_000, "not JSON"),
        ("[]", "no document"),
        ('"text"', "no document"),
        ("{}", "without events"),
        ('{"Events": []}', "without events"),
        ('{"Events": {"EventType": "Ping"}}', "without events"),
        ('{"Events": ["Ping"]}', "events are none"),
        ('{"Events": [{}]}', "no readable type"),
        ('{"Events": [{"EventType": ["Ping"]}]}', "no readable type"),
        ('{"Events": [{"EventType": "<script>"}]}', "no readable type"),
        ('{"Events": [{"EventType": "Ping", "HITId": 7}]}', "no readable type"),
        ('{"Events": [{"EventType": "Ping", "HITId": "3\\u0000"}]}', "no readable type"),
        ('{"Events": [{"EventType": "Ping", "HITId": "\\ud800"}]}', "no readable type"),
        (json.dumps({"Events": [{"EventType": "Ping"}] * 1001}), "more than 1,000"),
        (json.dumps({"Events": [], "padding": "x" * 70_000}), "more than 64 KB"),
    ],
)
def test_what_mturk_did_not_write_is_named_and_not_quoted(body: str, words: str) -> None:
    with pytest.raises(StrangeMessage) as strange:
        read_events(body)

    assert words in str(strange.value)
    assert len(str(strange.value)) < 80

"""The queue of a Connection, as its owners set it up, test it and switch it off."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse

from mturkhub.accounts.actions import notifications as actions
from mturkhub.accounts.models import Event, NotificationQueue
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from tests.factories import ConnectionFactory
from tests.fakes.mturk import FakeMTurk, refusal
from tests.projects.pages import words

QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/events"


def page(person, connection):
    return person.client.get(reverse("accounts:connection", args=[connection.public_id])).content.decode()


def post(person, name, connection, **values):
    address = reverse(f"accounts:{name}", args=[connection.public_id])
    return person.client.post(address, values, follow=True)


@pytest.fixture
def queue(olive, connection):
    return actions.set_queue(connection, by=olive.actor, url=QUEUE)


# Setting it up -----------------------------------------------------------------------------------


def test_a_queue_is_set_and_the_event_says_which_and_by_whom(olive, connection):
    queue = actions.set_queue(connection, by=olive.actor, url=f" {QUEUE}\n")

    assert queue.url == QUEUE
    event = Event.objects.get(verb="connection.queue_set")
    assert (event.by, event.target_id, event.details["queue"]) == (olive.user, connection.pk, "events")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "is not the URL of a standard SQS queue"),
        (f"{QUEUE}.fifo", "does not send to FIFO queues"),
        ("https://user:secret@sqs.us-east-1.amazonaws.com/123456789012/events", "is not the URL"),
        ("http://169.254.169.254/latest/meta-data", "MTURKHUB_ALLOWED_QUEUES"),
        ("http://127.0.0.1:5432/000000000000/events", "MTURKHUB_ALLOWED_QUEUES"),
        ("http://sqs.us-east-1.amazonaws.com/123456789012/events", "MTURKHUB_ALLOWED_QUEUES"),
    ],
)
def test_an_address_that_is_no_queue_or_nobody_listed_is_refused_in_words(olive, connection, url, why):
    with pytest.raises(ActionRefused) as refused:
        actions.set_queue(connection, by=olive.actor, url=url)

    assert why in refused.value.sentence
    assert not NotificationQueue.objects.exists()


def test_what_the_operator_lists_may_be_read_and_what_only_begins_alike_may_not(olive, connection, settings):
    settings.MTURK_ALLOWED_QUEUES = ["http://queues.example:9324/000000000000/"]

    actions.set_queue(connection, by=olive.actor, url="http://queues.example:9324/000000000000/events")

    with pytest.raises(ActionRefused):
        actions.set_queue(connection, by=olive.actor, url="http://queues.example:93240/000000000000/events")


def test_two_connections_of_an_account_do_not_share_a_queue(olive, connection, queue):
    other = ConnectionFactory(account=connection.account)

    with pytest.raises(ActionRefused) as refused:
        actions.set_queue(other, by=olive.actor, url=QUEUE)

    assert refused.value.sentence.startswith("Local reads this queue already.")


def test_the_same_queue_again_changes_nothing_and_another_one_starts_anew(olive, connection, queue):
    NotificationQueue.objects.update(ignored=7, problem="Gone.")

    assert actions.set_queue(connection, by=olive.actor, url=QUEUE).pk == queue.pk
    other = actions.set_queue(connection, by=olive.actor, url=f"{QUEUE}-2")

    assert NotificationQueue.objects.get() == other
    assert (other.pk != queue.pk, other.ignored, other.problem) == (True, 0, "")


# Testing it --------------------------------------------------------------------------------------


def test_a_test_event_is_asked_for_and_awaited(olive, connection, queue):
    market = FakeMTurk()

    queue = actions.send_test_event(connection, by=olive.actor, gateway=market)

    assert market.test_events == [QUEUE]
    assert queue.awaits_test
    assert Event.objects.filter(verb="connection.test_event_sent").count() == 1


def test_a_test_event_that_is_refused_says_why(olive, connection, queue):
    market = FakeMTurk()
    market.fail(
        "SendTestEventNotification",
        lambda name: refusal(name, "InvalidTransportEndpoint", "The queue cannot be used."),
    )

    queue = actions.send_test_event(connection, by=olive.actor, gateway=market)

    assert not queue.awaits_test
    assert queue.problem == "MTurk refused SendTestEventNotification: The queue cannot be used."
    assert Event.objects.get(verb="connection.test_event_refused").details["problem"] == queue.problem


def test_without_a_queue_there_is_nothing_to_test(olive, connection):
    with pytest.raises(ActionRefused) as refused:
        actions.send_test_event(connection, by=olive.actor, gateway=FakeMTurk())

    assert "has no queue" in refused.value.sentence


# Pages -------------------------------------------------------------------------------------------


def test_the_page_sets_a_queue_up_and_shows_its_policy_to_paste(olive, connection):
    shown = post(olive, "set_queue", connection, url=QUEUE).content.decode()

    policy = json.loads(
        words(shown[shown.index('aria-label="Policy">') : shown.index("</pre>")])
        .removeprefix('aria-label="Policy">')
        .replace("&quot;", '"')
    )
    assert policy["Statement"][0]["Resource"] == "arn:aws:sqs:us-east-1:123456789012:events"
    assert policy["Statement"][0]["Principal"] == {"Service": "mturk-requester.amazonaws.com"}
    text = words(shown)
    assert "Olive has Local told of events by the queue events" in text
    assert "Last event none yet" in text


def test_a_queue_elsewhere_needs_its_markets_consent_instead_of_a_policy(olive, connection, settings):
    settings.MTURK_ALLOWED_QUEUES = ["http://queues.example:9324/"]

    text = words(
        post(olive, "set_queue", connection, url="http://queues.example:9324/0/events").content.decode()
    )

    assert "MARKETPLACE_NOTIFICATION_ENDPOINTS" in text
    assert "mturk-requester.amazonaws.com" not in text


def test_what_was_typed_stays_when_it_is_refused(olive, connection):
    refused = post(olive, "set_queue", connection, url="http://10.0.0.1/0/events")

    assert refused.status_code == 400
    assert 'value="http://10.0.0.1/0/events"' in refused.content.decode()
    assert "MTURKHUB_ALLOWED_QUEUES" in refused.content.decode()


def test_the_page_says_what_came_what_did_not_and_what_went_wrong(olive, connection, queue):
    now = clock.now() - timedelta(minutes=3)
    NotificationQueue.objects.update(
        test_sent_at=now,
        last_event="AssignmentSubmitted",
        last_event_at=now,
        problem="There is no queue events.",
        problem_at=now,
        ignored=1234,
        ignored_last="a message that is not JSON",
    )

    text = words(page(olive, connection))

    assert "AssignmentSubmitted , 3 min ago" in text
    assert "not arrived yet" in text
    assert "There is no queue events." in text
    assert "1,234, the last one a message that is not JSON" in text

    NotificationQueue.objects.update(test_arrived_at=now)
    assert "Test event arrived 3 min ago" in words(page(olive, connection))


def test_switching_off_forgets_the_queue(olive, connection, queue):
    shown = post(olive, "switch_queue_off", connection)

    assert not NotificationQueue.objects.exists()
    assert "Olive switched the notifications of Local off" in words(shown.content.decode())
    post(olive, "switch_queue_off", connection)
    assert Event.objects.filter(verb="connection.queue_off").count() == 1


def test_a_test_event_that_nobody_takes_is_told_on_the_page(olive, connection, queue):
    # Nobody listens there.
    connection.endpoint = "http://127.0.0.1:9"
    connection.save()

    text = words(post(olive, "send_test_event", connection).content.decode())

    assert "No test event was sent. 127.0.0.1:9 cannot be reached." in text


def test_others_of_the_team_see_that_it_is_on_and_not_where(vera, connection, queue):
    shown = page(vera, connection)

    assert "on, no event yet" in words(shown)
    assert "sqs." not in shown

"""MTurk's events in a real queue: which HITs they have fetched, and what becomes of everything else that lies there."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from pytest_django import Settings

from mturkhub.accounts.actions.notifications import send_test_event, set_queue, switch_queue_off
from mturkhub.accounts.credentials import Keys, encrypt, gateway_for, queue_for
from mturkhub.accounts.models import Connection, NotificationQueue
from mturkhub.common import clock
from mturkhub.gateway.event_queue import EventQueue, Message
from projects.actions.batches import publish_batch
from projects.actions.reviews import approve_assignment
from projects.collecting import collect_wanted, sweep
from projects.listening import EVENTS, listen, tell_types_in_use
from projects.models import HIT, Assignment, HITType
from projects.publishing import publish_chunk
from projects.tasks import hear_all_events, hear_events
from tests.conftest import Person
from tests.contract.conftest import Commands, manage  # noqa: F401
from tests.factories import BatchFactory, ConnectionFactory
from tests.fakes.mturk import FakeMTurk, lost_answer, refusal, unreachable
from tests.projects.live import Live, make_live
from tests.servers import MarketplaceServer, wait

pytestmark = pytest.mark.django_db

UPDATE = "UpdateNotificationSettings"


class Queue:
    """A queue at moto's server, which does what SQS does."""

    def __init__(self, server: str) -> None:
        make: Any = boto3.client
        self.sqs = make(
            "sqs",
            endpoint_url=server,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"total_max_attempts": 1}),
        )
        self.url = self.sqs.create_queue(
            QueueName=f"events-{uuid.uuid4()}", Attributes={"VisibilityTimeout": "0"}
        )["QueueUrl"]

    def put(self, *events: dict[str, str]) -> None:
        """One document of MTurk's with these events."""
        self.put_text(
            json.dumps(
                {
                    "Events": events,
                    "EventDocId": uuid.uuid4().hex + "0" * 8,
                    "SourceAccount": "123456789012",
                    "CustomerId": "A1CUSTOMER",
                    "EventDocVersion": "2014-08-15",
                }
            )
        )

    def put_text(self, text: str) -> None:
        self.sqs.send_message(QueueUrl=self.url, MessageBody=text)

    @property
    def left(self) -> int:
        """Messages that nobody has deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


def submitted(live: Live, assignment_id: str) -> dict[str, str]:
    """The event of an answer, as the reference writes it."""
    hit = live.market.assignments[assignment_id].hit
    return {
        "EventType": "AssignmentSubmitted",
        "EventTimestamp": "2026-08-09T21:17:16Z",
        "HITId": hit.hit_id,
        "AssignmentId": assignment_id,
        "HITTypeId": hit.hit_type_id,
    }


@pytest.fixture
def sqs(queues: str, settings: Settings) -> Queue:
    settings.MTURK_ALLOWED_QUEUES = [f"{queues}/"]
    return Queue(queues)


@pytest.fixture
def queue(sqs: Queue, connection: Connection, olive: Person) -> NotificationQueue:
    """The Connection's queue, which lies at a real server."""
    return set_queue(connection, by=olive.actor, url=sqs.url)


def hear(queue: NotificationQueue) -> NotificationQueue:
    """Read the queue now, whatever trouble there was; it comes back as it is stored."""
    NotificationQueue.objects.filter(pk=queue.pk).update(lease_until=None)
    listen(queue, messages=queue_for(queue))
    return NotificationQueue.objects.get(pk=queue.pk)


def fetch(live: Live) -> int:
    return collect_wanted(live.connection, gateway=live.market)


# What an event does ------------------------------------------------------------------------------


def test_an_event_has_its_hit_fetched_and_no_other_and_nothing_listed(
    live: Live, queue: NotificationQueue, sqs: Queue
) -> None:
    [told], [untold] = live.submit(["A1"], row=1), live.submit(["A2"], row=2)
    sqs.put(submitted(live, told))

    heard = hear(queue)
    new = fetch(live)

    assert new == 1
    assert [answer.mturk_id for answer in live.answers] == [told]
    assert (live.fetches(), live.market.calls["ListHITs"], live.market.calls["GetHIT"]) == (1, 0, 0)
    assert (heard.last_event, heard.ignored, sqs.left) == ("AssignmentSubmitted", 0, 0)
    assert heard.last_event_at is not None
    live.collect()
    assert {answer.mturk_id for answer in live.answers} == {told, untold}


def test_the_sweep_after_an_event_does_not_fetch_the_hit_again(
    live: Live, queue: NotificationQueue, sqs: Queue
) -> None:
    live.collect()  # the first sweep of a day asks for everything open
    for worker in ("A1", "A2", "A3"):
        [answer] = live.submit([worker])
        sqs.put(submitted(live, answer))
        hear(queue)
        fetch(live)
        assert live.collect().hits_fetched == 0
        assert live.collect().hits_fetched == 0

    assert (live.fetches(), len(live.answers)) == (3, 3)
    assert live.hits[0].hit_status == "Reviewable"


def test_the_sweep_after_an_event_fetches_what_came_without_one(
    live: Live, queue: NotificationQueue, sqs: Queue
) -> None:
    live.collect()
    [told] = live.submit(["A1"])
    sqs.put(submitted(live, told))
    hear(queue)
    fetch(live)
    live.submit(["A2"])

    assert live.collect().hits_fetched == 1
    assert len(live.answers) == 2


def test_a_decision_made_elsewhere_since_an_event_is_still_noticed(
    live: Live, queue: NotificationQueue, sqs: Queue
) -> None:
    live.collect()
    [told] = live.submit(["A1"])
    sqs.put(submitted(live, told))
    hear(queue)
    fetch(live)
    live.market.approve_assignment(told)

    live.collect()

    assert [answer.status for answer in live.answers] == ["Approved"]


@pytest.mark.usefixtures("no_grace")
def test_a_decision_of_our_own_since_an_event_causes_no_fetch(
    live: Live, queue: NotificationQueue, sqs: Queue, mina: Person
) -> None:
    live.collect()
    [told] = live.submit(["A1"])
    sqs.put(submitted(live, told))
    hear(queue)
    fetch(live)
    approve_assignment(live.answers[0], by=mina.actor)
    live.send()

    live.collect()

    assert live.fetches() == 1


def test_several_events_of_one_message_and_of_one_hit_cost_one_fetch_a_hit(
    live: Live, queue: NotificationQueue, sqs: Queue
) -> None:
    answers = [*live.submit(["A1", "A2"], row=1), *live.submit(["A1"], row=2)]
    sqs.put(*[submitted(live, answer) for answer in answers])

    hear(queue)

    assert (fetch(live), live.fetches()) == (3, 2)


def test_an_event_that_comes_again_later_fetches_nothing(
    live: Live, queue: NotificationQueue, sqs: Queue
) -> None:
    [answer] = live.submit()
    for _ in range(3):
        sqs.put(submitted(live, answer))
        hear(queue)
        fetch(live)

    assert (live.fetches(), len(live.answers), sqs.left) == (1, 1, 0)


def test_all_messages_are_read_ten_at_a_time(live: Live, queue: NotificationQueue, sqs: Queue) -> None:
    answers = live.submit(["A1", "A2", "A3"], row=1)
    for number in range(23):
        sqs.put(submitted(live, answers[number % 3]))

    hear(queue)

    assert (fetch(live), live.fetches(), sqs.left) == (3, 1, 0)


def test_an_event_that_comes_while_its_hit_is_fetched_stays_wished_for(
    live: Live, queue: NotificationQueue, sqs: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    [first] = live.submit(["A1"])
    sqs.put(submitted(live, first))
    hear(queue)
    original = live.market.list_assignments_for_hit

    def slowly(hit_id: str) -> Any:
        found = original(hit_id)
        if live.fetches() == 1:
            later.append(live.market.submit(hit_id, "A2"))
        return found

    later: list[str] = []
    monkeypatch.setattr(live.market, "list_assignments_for_hit", slowly)
    fetch(live)
    sqs.put(submitted(live, later[0]))
    hear(queue)

    assert fetch(live) == 1
    assert len(live.answers) == 2


# When something breaks ---------------------------------------------------------------------------


class Killed(Exception):
    """Stands for the end of the process."""


def test_whoever_is_killed_before_deleting_hears_the_message_again(
    live: Live, queue: NotificationQueue, sqs: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    [answer] = live.submit()
    sqs.put(submitted(live, answer))

    def die(_queue: EventQueue, _messages: list[Message]) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(EventQueue, "delete", die)
        with pytest.raises(Killed):
            hear(queue)
    assert live.hits[0].fetch_wanted_at is not None, "the wish is committed before"
    assert sqs.left == 1
    fetch(live)

    hear(queue)
    fetch(live)

    assert (live.fetches(), len(live.answers), sqs.left) == (1, 1, 0)


def test_two_receivers_never_read_one_queue_at_once(live: Live, queue: NotificationQueue, sqs: Queue) -> None:
    [answer] = live.submit()
    sqs.put(submitted(live, answer))
    NotificationQueue.objects.update(lease_until=clock.real_now() + timedelta(seconds=60))

    listen(queue, messages=queue_for(queue))

    assert sqs.left == 1


def test_nothing_is_fetched_for_events_while_a_sweep_runs_and_the_wish_stays(
    live: Live, queue: NotificationQueue, sqs: Queue
) -> None:
    [answer] = live.submit()
    sqs.put(submitted(live, answer))
    hear(queue)
    busy = Connection.objects.filter(pk=live.connection.pk)
    busy.update(sweep_lease_until=clock.real_now() + timedelta(seconds=60))

    assert (fetch(live), live.fetches()) == (0, 0)
    busy.update(sweep_lease_until=None)
    assert fetch(live) == 1


def test_a_fetch_that_fails_stays_wished_for(live: Live, queue: NotificationQueue, sqs: Queue) -> None:
    answers = [live.submit(["A1"], row=row)[0] for row in (1, 2)]
    sqs.put(*[submitted(live, answer) for answer in answers])
    hear(queue)
    live.market.fail("ListAssignmentsForHIT", lost_answer)

    with pytest.raises(Exception, match="took longer"):
        fetch(live)

    assert len(live.answers) == 1, "what could be fetched is kept"
    assert fetch(live) == 1


def test_a_hit_that_is_gone_is_not_asked_for_again_and_again(
    live: Live, queue: NotificationQueue, sqs: Queue
) -> None:
    [answer] = live.submit()
    sqs.put(submitted(live, answer))
    hear(queue)
    live.market.fail(
        "ListAssignmentsForHIT", lambda name: refusal(name, "HITDoesNotExist", "Hit 3X does not exist.")
    )

    fetch(live)
    fetch(live)

    assert live.fetches() == 1


def test_a_queue_that_is_gone_is_named_and_left_alone_for_a_while(
    live: Live, queue: NotificationQueue, sqs: Queue
) -> None:
    sqs.sqs.delete_queue(QueueUrl=sqs.url)

    heard = hear(queue)

    assert heard.problem.startswith("There is no queue events-")
    assert heard.problem_at is not None
    assert heard.lease_until > clock.real_now()
    live.submit()
    assert live.collect().answers_new == 1, "sweeps go on"


class Refusing(BaseHTTPRequestHandler):
    """A queue that belongs to somebody else; it quotes what it was sent."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        quoted = self.headers["Authorization"]
        body = json.dumps({"__type": "com.amazonaws.sqs#" + self.server.refusal, "message": f"No: {quoted}"})  # type: ignore[attr-defined]
        self.send_response(403 if "Denied" in body else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def refusing(settings: Settings, connection: Connection) -> Iterator[Callable[[str], str]]:
    """The URL of a queue at a server that refuses everything with the given code."""
    connection.credentials = encrypt(Keys("AKIAQUOTED", "secret-quoted"))
    connection.save()
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/000000000000/events"
        settings.MTURK_ALLOWED_QUEUES = [address.removesuffix("events")]

        def refuse(code: str) -> str:
            server.refusal = code  # type: ignore[attr-defined]
            return address

        yield refuse
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDeniedException", "Allow them sqs:ReceiveMessage and sqs:DeleteMessage on arn:aws:sqs:"),
        ("QueueDoesNotExist", "There is no queue events"),
        ("InvalidClientTokenId", "does not know this access key"),
        ("RequestThrottled", "refused ReceiveMessage: No: "),
    ],
)
def test_a_queue_that_refuses_is_told_in_a_sentence_without_keys(
    connection: Connection, olive: Person, refusing: Callable[[str], str], code: str, words: str
) -> None:
    queue = set_queue(connection, by=olive.actor, url=refusing(code))

    heard = hear(queue)

    assert words in heard.problem
    assert "AKIAQUOTED" not in heard.problem
    assert "secret-quoted" not in heard.problem


def test_a_queue_that_nobody_lists_any_more_is_not_called(
    queue: NotificationQueue, settings: Settings
) -> None:
    settings.MTURK_ALLOWED_QUEUES = []

    hear_events(queue.connection_id)

    queue.refresh_from_db()
    assert "MTURKHUB_ALLOWED_QUEUES" in queue.problem


# What means nothing here -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["hello", "[1]", '{"Events": [{"EventType": "<b>"}]}', "[" * 60_000, "é" * 40_000]
)
def test_a_message_that_is_none_of_mturks_is_counted_and_deleted_and_does_not_stand_in_the_way(
    live: Live, queue: NotificationQueue, sqs: Queue, text: str
) -> None:
    [answer] = live.submit()
    sqs.put_text(text)
    sqs.put(submitted(live, answer))

    heard = hear(queue)

    assert (heard.ignored, sqs.left, heard.problem) == (1, 0, "")
    assert heard.ignored_last.startswith("a message ")
    assert fetch(live) == 1


def test_events_of_hits_that_are_not_known_are_counted_and_named(
    live: Live, queue: NotificationQueue, sqs: Queue
) -> None:
    event = {"EventType": "AssignmentSubmitted", "HITId": "3NOBODYS", "AssignmentId": "3A"}
    sqs.put(event, event, {"EventType": "HITReviewable"})

    heard = hear(queue)

    assert heard.ignored == 3
    assert heard.ignored_last == "an event HITReviewable of no HIT, which this connection does not know"
    assert not HIT.objects.exclude(fetch_wanted_at=None).exists()
    assert sqs.left == 0


def test_a_hit_of_another_connection_is_left_alone(
    live: Live, queue: NotificationQueue, sqs: Queue, stan: Person
) -> None:
    theirs = make_live(stan, ConnectionFactory(account__team=stan.team), FakeMTurk())
    [answer] = theirs.submit()
    sqs.put(submitted(theirs, answer))

    heard = hear(queue)

    assert heard.ignored == 1
    assert theirs.hits[0].fetch_wanted_at is None
    assert collect_wanted(theirs.connection, gateway=theirs.market) == 0


# Telling MTurk -----------------------------------------------------------------------------------


def test_publishing_with_a_queue_costs_one_call_more_and_once_a_type(
    mina: Person, connection: Connection, queue: NotificationQueue, market: FakeMTurk
) -> None:
    first = make_live(mina, connection, market, rows=3)
    assert market.calls == {"CreateHITType": 1, UPDATE: 1, "CreateHITWithHITType": 3}
    assert market.notified == {HITType.objects.get().mturk_id: queue.url}

    twin = publish_batch(
        BatchFactory(project=first.batch.project, connection=connection, rows=2), by=mina.actor
    )
    publish_chunk(twin, gateway=market)

    assert market.calls == {"CreateHITType": 1, UPDATE: 1, "CreateHITWithHITType": 5}


def test_publishing_without_a_queue_says_nothing_of_notifications(live: Live) -> None:
    assert live.market.calls[UPDATE] == 0


@pytest.mark.parametrize(
    "error",
    [unreachable, lost_answer, lambda name: refusal(name, "InvalidTransportEndpoint", "No such queue.")],
)
def test_a_queue_that_mturk_refuses_is_named_and_holds_no_batch_up(
    mina: Person, connection: Connection, queue: NotificationQueue, market: FakeMTurk, error: Any
) -> None:
    market.fail(UPDATE, error)

    live = make_live(mina, connection, market)
    publish_chunk(live.batch, gateway=market)

    assert live.batch.state == "live"
    queue.refresh_from_db()
    assert queue.problem
    tell_types_in_use(connection, queue, gateway=market)
    assert market.calls[UPDATE] == 1, "not before a while has passed"
    live.later(minutes=11)
    tell_types_in_use(connection, queue, gateway=market)
    assert list(market.notified.values()) == [queue.url]


def test_types_in_use_follow_the_queue_and_are_told_when_it_goes(
    live: Live, olive: Person, sqs: Queue, queues: str
) -> None:
    def tell() -> list[str]:
        queue = NotificationQueue.objects.filter(connection=live.connection).first()
        for _ in range(2):
            tell_types_in_use(live.connection, queue, gateway=live.market)
        return list(live.market.notified.values())

    set_queue(live.connection, by=olive.actor, url=sqs.url)
    assert tell() == [sqs.url]
    other = Queue(queues)
    set_queue(live.connection, by=olive.actor, url=other.url)
    assert tell() == [other.url]
    switch_queue_off(live.connection, by=olive.actor)
    assert tell() == [""]
    assert live.market.calls[UPDATE] == 3


def test_types_of_adopted_hits_keep_the_notifications_of_whoever_made_them(
    live: Live, queue: NotificationQueue
) -> None:
    live.batch.adopted_at = clock.now()
    live.batch.save()

    tell_types_in_use(live.connection, queue, gateway=live.market)

    assert live.market.calls[UPDATE] == 0


# The bells ---------------------------------------------------------------------------------------


def test_beat_rings_for_connections_with_a_queue_that_are_not_paused(
    queue: NotificationQueue, bells: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    ConnectionFactory()
    with django_capture_on_commit_callbacks(execute=True):
        hear_all_events()
    assert bells == ["projects.tasks.hear_events"]

    Connection.objects.update(paused_at=clock.now())
    with django_capture_on_commit_callbacks(execute=True):
        hear_all_events()

    assert len(bells) == 1, "a restored copy would take events away from the original"


# With the marketplace ----------------------------------------------------------------------------


def test_an_answer_on_the_marketplace_arrives_by_its_event(
    marketplace_connection: Connection,
    marketplace_server: MarketplaceServer,
    manage: Commands,  # noqa: F811
    mina: Person,
    olive: Person,
    sqs: Queue,
) -> None:
    connection = marketplace_connection
    queue = set_queue(connection, by=olive.actor, url=sqs.url)
    send_test_event(connection, by=olive.actor)
    heard = hear(queue)
    assert (heard.last_event, heard.awaits_test, heard.ignored) == ("Ping", False, 0)
    batch = publish_batch(BatchFactory(project__team=mina.team, connection=connection, rows=2), by=mina.actor)
    publish_chunk(batch, gateway=gateway_for(connection))
    # The first sweep of a day asks for everything open.
    sweep(connection, gateway=gateway_for(connection))
    hit = batch.hits.order_by("pk")[0]

    manage("worker_act", "accept", str(hit.mturk_id), "ATESTWANDA00")
    answer = manage("worker_act", "submit", str(hit.mturk_id), "ATESTWANDA00", '{"sentiment": "7"}')
    wait(lambda: sqs.left)
    hear_events(connection.pk)

    assert Assignment.objects.get().mturk_id == answer
    queue.refresh_from_db()
    assert (queue.last_event, queue.ignored, queue.problem) == (EVENTS[0], 0, "")
    done = sweep(connection, gateway=gateway_for(connection))
    assert done is not None
    assert (done.is_complete, done.hits_fetched) == (True, 0)

"""What `/metrics` tells, and to whom."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from mturkhub.accounts.models import Connection
from mturkhub.celery import app
from mturkhub.common import clock
from mturkhub.common.broker import client as redis_client
from mturkhub.common.tallies import Tallies, tallies
from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError
from mturkhub.intentions.models import IntentionState, Job
from projects import tasks
from projects.models import HIT, Decision
from tests.conftest import Person
from tests.factories import AssignmentFactory, BatchFactory, ConnectionFactory

TOKEN = "a token of the one who watches"
Figures = dict[tuple[str, ...], float]


@pytest.fixture(autouse=True)
def _token(settings: pytest.FixtureRequest) -> Iterator[None]:
    settings.METRICS_TOKEN = TOKEN  # type: ignore[attr-defined]
    with redis_client(settings.REDIS_URL) as broker:  # type: ignore[attr-defined]
        broker.flushdb()
        yield
        broker.flushdb()


def figures(client: Client) -> Figures:
    """Every sample, by its name and the values of its labels in the order of their names."""
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


# Who ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}])
def test_without_the_token_nothing_is_told(client: Client, header: dict[str, str]) -> None:
    answer = client.get("/metrics", headers=header)

    assert answer.status_code == 401
    assert "MTURKHUB_METRICS_TOKEN" in answer.content.decode()
    assert "mturkhub_up" not in answer.content.decode()


@pytest.mark.django_db
def test_with_no_token_set_there_is_no_such_page(client: Client, settings: pytest.FixtureRequest) -> None:
    settings.METRICS_TOKEN = ""  # type: ignore[attr-defined]

    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


# How far behind we are ---------------------------------------------------------------------------


def test_what_is_unfinished_is_counted_by_kind_and_state(client: Client, connection: Connection) -> None:
    batch = BatchFactory(connection=connection, published=True, rows=4)
    hits = list(batch.hits.order_by("pk"))
    now = clock.now()
    for hit, state in zip(hits, ("queued", "unknown", "unknown", "published"), strict=True):
        HIT.objects.filter(pk=hit.pk).update(
            publish_state=state, due_at=now - timedelta(minutes=5), last_sent_at=now - timedelta(hours=1)
        )

    told = figures(client)

    assert told["mturkhub_intentions", "hit", "queued"] == 1
    assert told["mturkhub_intentions", "hit", "unknown"] == 2
    assert told["mturkhub_intentions", "decision", "unknown"] == 0
    assert 300 <= told["mturkhub_intention_oldest_seconds", "hit", "queued"] < 3600
    assert 3600 <= told["mturkhub_intention_oldest_seconds", "hit", "unknown"] < 7200


def test_a_decision_in_its_grace_time_is_not_late(
    client: Client, mina: Person, connection: Connection
) -> None:
    batch = BatchFactory(connection=connection, published=True, rows=1)
    later = clock.now() + timedelta(hours=1)
    assignment = AssignmentFactory(hit=batch.hits.get())
    Decision.objects.create(
        assignment=assignment, team=mina.team, connection=connection, verdict="approve", due_at=later
    )

    told = figures(client)

    assert told["mturkhub_intentions", "decision", "queued"] == 1
    assert told["mturkhub_intention_oldest_seconds", "decision", "queued"] == 0


def test_the_age_of_a_sweep_is_told_for_connections_with_hits(client: Client, connection: Connection) -> None:
    BatchFactory(connection=connection, published=True, rows=1)
    HIT.objects.update(publish_state=IntentionState.PUBLISHED, mturk_id="3X")
    Connection.objects.update(last_sweep_at=clock.now() - timedelta(minutes=10))
    ConnectionFactory(account=connection.account, name="Unused", environment="sandbox")

    told = {name: value for name, value in figures(client).items() if name[0] == "mturkhub_sweep_age_seconds"}

    [(labels, age)] = told.items()
    assert labels[1:] == (str(connection.public_id), "local")
    assert 600 <= age < 3600


def test_running_jobs_are_counted(client: Client, mina: Person) -> None:
    for state in ("running", "running", "done"):
        Job.objects.create(team=mina.team, kind="decide_many", title="x", by=mina.user, state=state)

    assert figures(client)["mturkhub_jobs_running",] == 2


def test_the_number_of_queries_does_not_grow_with_the_rows(client: Client, connection: Connection) -> None:
    with CaptureQueriesContext(database) as few:
        figures(client)
    BatchFactory(connection=connection, published=True, rows=20)

    with CaptureQueriesContext(database) as many:
        figures(client)

    assert len(many) == len(few)


@pytest.mark.django_db
def test_tasks_nobody_has_taken_are_counted_by_queue(client: Client) -> None:
    tasks.run_job.delay(1)
    tasks.run_job.delay(2)
    tasks.expire_files.delay()
    tasks.publish_batch.delay(1)  # waits in a list of its own, behind everything else

    told = figures(client)

    assert told["mturkhub_queue_tasks", "files"] == 2
    assert told["mturkhub_queue_tasks", "default"] == 1
    assert told["mturkhub_queue_tasks", "mturk"] == 1
    assert told["mturkhub_queue_taken",] == 0
    app.control.purge()


# What is counted as it happens -------------------------------------------------------------------


@pytest.mark.django_db
def test_calls_are_counted_by_operation_and_outcome(client: Client) -> None:
    gateway = MTurkGateway("http://127.0.0.1:9", "AKIANOBODY", "secret")
    for _ in range(2):
        with pytest.raises(MTurkError):
            gateway.get_account_balance()

    assert figures(client)["mturkhub_mturk_calls_total", "GetAccountBalance", "not_sent"] == 2


@pytest.mark.django_db
def test_what_several_processes_count_adds_up(client: Client, settings: pytest.FixtureRequest) -> None:
    for other in (Tallies(settings.REDIS_URL, "mturkhub-tallies") for _ in range(2)):  # type: ignore[attr-defined]
        other.add({"calls|GetHIT|done": 3, "call_ms|GetHIT": 750})

    told = figures(client)

    assert told["mturkhub_mturk_calls_total", "GetHIT", "done"] == 6
    assert told["mturkhub_mturk_call_seconds_total", "GetHIT"] == 1.5


@pytest.mark.django_db
def test_requests_are_counted_with_their_durations(client: Client) -> None:
    client.get("/account/login/")
    client.get("/account/login/")

    told = figures(client)

    assert told["mturkhub_requests_total", "GET", "account_login", "200"] == 2
    assert told["mturkhub_request_duration_seconds_count", "account_login"] == 2
    assert told["mturkhub_request_duration_seconds_bucket", "+Inf", "account_login"] == 2
    assert told["mturkhub_request_duration_seconds_sum", "account_login"] > 0


@pytest.mark.django_db
def test_invented_methods_make_no_figures_of_their_own(client: Client) -> None:
    for method in ("BREW", "A|B|C"):
        client.generic(method, "/account/login/")

    assert figures(client)["mturkhub_requests_total", "other", "account_login", "405"] == 2


# Without a server --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_without_the_broker_the_rest_is_told(
    client: Client, settings: pytest.FixtureRequest, tmp_path: object
) -> None:
    settings.REDIS_URL = f"redis+socket://{tmp_path}/nobody.sock"  # type: ignore[attr-defined]

    told = figures(client)

    assert (told["mturkhub_up", "broker"], told["mturkhub_up", "database"]) == (0, 1)
    assert ("mturkhub_jobs_running",) in told
    assert ("mturkhub_queue_tasks", "mturk") not in told


@pytest.mark.django_db
def test_without_the_broker_calls_and_pages_go_on_and_what_they_counted_comes_later(
    client: Client, settings: pytest.FixtureRequest, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = settings.REDIS_URL  # type: ignore[attr-defined]
    settings.REDIS_URL = f"redis+socket://{tmp_path}/nobody.sock"  # type: ignore[attr-defined]
    with pytest.raises(MTurkError, match="cannot be reached"):
        MTurkGateway("http://127.0.0.1:9", "AKIANOBODY", "secret").get_account_balance()
    assert client.get("/account/login/").status_code == 200

    # It comes back, and the time after which we try again is over.
    here = tallies()
    monkeypatch.setattr(here, "_broker", redis_client(real))
    monkeypatch.setattr(here, "_not_before", 0.0)
    here.add({"calls|GetHIT|done": 1})

    read = here.read()
    assert read["calls|GetAccountBalance|not_sent"] == 1
    assert read["requests|account_login|GET|200"] == 1

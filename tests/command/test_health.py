"""What `/healthz` and `/readyz` say, and to whom."""

import os
from collections.abc import Iterator

import pytest
from django.test import Client

from mturkhub import health
from mturkhub.common.broker import client as redis_client

ALL_ALIVE = (health.BEAT, health.WORKER, health.TASK)


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    with redis_client(os.environ["REDIS_URL"]) as broker:
        broker.flushdb()
        yield
        broker.flushdb()


def test_a_stranger_learns_that_it_lives(client: Client) -> None:
    assert client.get("/healthz").content == b"ok\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("alive", "missing"),
    [
        (ALL_ALIVE, []),
        ((health.BEAT, health.WORKER), ["worker"]),  # it lives, but runs nothing
        ((health.BEAT,), ["worker"]),
        ((health.WORKER, health.TASK), ["beat"]),
        ((health.WORKER,), ["beat"]),  # nothing was sent that it could have run
        ((), ["worker", "beat"]),
    ],
)
def test_readyz_names_the_process_that_is_missing(
    client: Client, alive: tuple[str, ...], missing: list[str]
) -> None:
    for name in alive:
        health.note(name)

    answer = client.get("/readyz")

    assert answer.json() == {"ready": not missing, "missing": missing}
    assert answer.status_code == (503 if missing else 200)


@pytest.mark.django_db
def test_readyz_names_a_broker_that_is_missing(
    client: Client, settings: pytest.FixtureRequest, tmp_path: object
) -> None:
    settings.REDIS_URL = f"redis+socket://{tmp_path}/nobody.sock"  # type: ignore[attr-defined]

    assert client.get("/readyz").json() == {"ready": False, "missing": ["broker"]}


def test_readyz_sees_a_real_worker_and_beat(celery_worker: None, client: Client) -> None:
    from tests.servers import wait

    wait(lambda: client.get("/readyz").status_code == 200, seconds=20)

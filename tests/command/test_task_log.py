"""What a real worker and beat write into their logs."""

import json
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars

from mturkhub.accounts.models import Connection
from projects import tasks
from tests.servers import running, wait


def lines_of(service: str) -> list[dict[str, Any]]:
    """Everything a service has logged; a line that is no JSON fails."""
    written = (running().manager.logs / f"{service}.log").read_text()
    return [json.loads(line) for line in written.splitlines()]


@pytest.fixture(autouse=True)
def _empty_logs() -> None:
    for service in ("worker", "beat"):
        (running().manager.logs / f"{service}.log").unlink(missing_ok=True)


def test_a_task_says_which_request_rang_for_it(celery_worker: None, connection: Connection) -> None:
    with bound_contextvars(request_id="0f1e2d3c4b5a6978"):
        rung = tasks.send_due_decisions.delay(connection.pk)
        failing = tasks.run_job.delay(0)

    def found() -> dict[str, dict[str, Any]]:
        return {line["task_id"]: line for line in lines_of("worker") if "state" in line}

    wait(lambda: {rung.id, failing.id} <= found().keys())
    done, failed = found()[rung.id], found()[failing.id]
    assert done["event"] == "projects.tasks.send_due_decisions SUCCESS"
    assert failed["event"] == "projects.tasks.run_job FAILURE"
    assert done["request_id"] == failed["request_id"] == "0f1e2d3c4b5a6978"
    assert done["duration_ms"] >= 0
    [why] = [line for line in lines_of("worker") if "exception" in line and line["task_id"] == failing.id]
    assert "Job matching query does not exist" in why["exception"]


def test_what_beat_looks_for_every_few_seconds_is_no_news(
    celery_worker: None, connection: Connection
) -> None:
    rung = tasks.expire_files.delay()
    last = tasks.send_due_decisions.delay(connection.pk)

    wait(lambda: last.id in {line.get("task_id") for line in lines_of("worker")})
    assert rung.id not in {line.get("task_id") for line in lines_of("worker")}

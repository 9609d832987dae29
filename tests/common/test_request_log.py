"""Lines of the log: whose request it was, under which id, and nothing that must not be read there."""

import io
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from mturkhub.accounts.sign_in_links import new_sign_in_link
from mturkhub.common.logs import FIELDS
from tests.conftest import Person
from tests.factories import BatchFactory

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged from here on, written as the product writes it."""
    config = logging.config.DictConfigurator(settings.LOGGING)  # type: ignore[attr-defined]
    handler = logging.StreamHandler(written := io.StringIO())
    handler.setFormatter(config.configure_formatter(dict(settings.LOGGING["formatters"]["json"])))
    handler.addFilter(config.configure_filter(dict(settings.LOGGING["filters"]["addresses"])))
    root = logging.getLogger()
    root.addHandler(handler)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.removeHandler(handler)


def test_a_request_has_one_line_that_says_who_asked_for_what(mina: Person, lines: Lines) -> None:
    batch = BatchFactory(project__team=mina.team, published=True)

    answer = mina.client.get(f"/batches/{batch.public_id}/?state=waiting")

    [line] = lines()
    assert line["event"] == "GET projects:batch 200"
    assert line["user"] == str(mina.user.public_id)
    assert line["team"] == str(mina.team.public_id)
    assert line["path"] == f"/batches/{batch.public_id}/"
    assert (line["method"], line["page"], line["status"]) == ("GET", "projects:batch", 200)
    assert line["request_id"] == answer["X-Request-ID"]
    assert line["duration_ms"] >= 0
    assert {"time", "level", "logger"} < line.keys()


@pytest.mark.django_db
def test_an_id_of_the_proxy_is_kept(client: Client, lines: Lines) -> None:
    answer = client.get("/account/login/", headers={"X-Request-ID": "a3f4b2c1d0e9f8a7"})

    assert answer["X-Request-ID"] == lines()[0]["request_id"] == "a3f4b2c1d0e9f8a7"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "given", ["short", "x" * 65, "with space and more", 'quote"and{brace}', "zeile\x1b[2J"]
)
def test_an_id_that_is_none_is_replaced(client: Client, lines: Lines, given: str) -> None:
    answer = client.get("/account/login/", headers={"X-Request-ID": given})

    assert uuid.UUID(answer["X-Request-ID"])
    assert given not in json.dumps(lines())


def test_requests_do_not_inherit_ids_or_people(mina: Person, client: Client, lines: Lines) -> None:
    mina.client.get("/")
    client.get("/account/login/")

    first, second = lines()
    assert first["request_id"] != second["request_id"]
    assert "user" not in second


@pytest.mark.parametrize("suffix", ["", "x", "/x", "?next=/secret-place"])
def test_a_sign_in_link_never_stands_in_the_log(
    mina: Person, client: Client, lines: Lines, suffix: str
) -> None:
    link = new_sign_in_link(mina.user)
    token = link.rstrip("/").rsplit("/", 1)[1]

    client.get(f"{link.rstrip('/')}{suffix}", follow=True)
    # Without the token of the form, which Django's own logger complains about with the path.
    Client(enforce_csrf_checks=True).post(link)

    assert len(lines()) >= 2
    assert token not in json.dumps(lines())
    assert "secret-place" not in json.dumps(lines())


def test_a_page_that_fails_shows_the_reference_under_which_its_traceback_stands(
    mina: Person, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        password = "geheim"
        raise RuntimeError(f"nothing came of {len(password)}")

    monkeypatch.setattr("mturkhub.context._count_to_review", fail)
    mina.client.raise_request_exception = False

    answer = mina.client.get("/")

    assert answer.status_code == 500
    assert answer["X-Request-ID"] in answer.content.decode()
    traceback, line = lines()
    assert traceback["request_id"] == line["request_id"] == answer["X-Request-ID"]
    assert traceback["level"] == "error"
    assert "RuntimeError: nothing came of 6" in traceback["exception"]
    assert "geheim" not in traceback["exception"]
    assert line["status"] == 500


def test_a_page_that_is_not_there_shows_its_reference(mina: Person) -> None:
    answer = mina.client.get("/nowhere/")

    assert answer.status_code == 404
    assert answer["X-Request-ID"] in answer.content.decode()


def test_only_listed_fields_get_into_a_line(lines: Lines) -> None:
    fields = {"status": 200, "answer": "what the Worker wrote", "data": {"key": "value"}}
    logging.getLogger("anybody").warning("Hello", extra=fields)

    [line] = lines()
    assert line["status"] == 200
    assert line.keys() <= {"event", "time", "level", "logger", *FIELDS}


def test_gunicorns_own_lines_lose_their_query_strings(lines: Lines) -> None:
    logging.getLogger("gunicorn.error").warning(
        "Error handling request %s", "/batches/1/results.csv?token=abc"
    )

    assert lines()[0]["event"] == "Error handling request /batches/1/results.csv?…"

"""Lines of the marketplace's log: what was asked and under which id, and nothing that must not be read there."""

import io
import json
import logging
import logging.config
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.marketplace.conftest import Market

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


def test_an_api_call_has_one_line_under_the_id_it_is_answered_with(market: Market, lines: Lines) -> None:
    answer = market.mturk.get_account_balance()

    [line] = lines()
    assert line["event"] == "api GetAccountBalance 200"
    assert (line["operation"], line["status"]) == ("GetAccountBalance", 200)
    assert line["request_id"] == answer["ResponseMetadata"]["RequestId"]
    assert market.keys.key_id not in json.dumps(line)


@pytest.mark.django_db
def test_a_page_has_one_line_with_the_id_of_the_proxy(client: Client, lines: Lines) -> None:
    answer = client.get("/sign-in?secret=1", headers={"X-Request-ID": "a3f4b2c1d0e9f8a7"})

    [line] = lines()
    assert (line["event"], line["path"]) == ("GET worker_site:sign_in 200", "/sign-in")
    assert line["request_id"] == answer["X-Request-ID"] == "a3f4b2c1d0e9f8a7"


@pytest.mark.django_db
def test_an_id_that_is_none_is_replaced(client: Client, lines: Lines) -> None:
    answer = client.get("/sign-in", headers={"X-Request-ID": "zeile\x1b[2J"})

    assert uuid.UUID(answer["X-Request-ID"])
    assert "zeile" not in json.dumps(lines())


@pytest.mark.django_db
def test_what_in_an_address_could_be_a_token_stays_out_of_the_log(client: Client, lines: Lines) -> None:
    client.get("/content/a-signed-token/")
    client.get("/tasks/3ASSIGNMENT?token=another")
    client.get("/nowhere/a-token")

    assert [line["path"] for line in lines()] == ["/content/…/", "/tasks/…", ""]
    assert "token=" not in json.dumps(lines())


@pytest.mark.django_db
def test_an_error_page_shows_the_id_under_which_it_stands_in_the_log(client: Client, lines: Lines) -> None:
    answer = client.get("/nowhere")

    assert answer.status_code == 404
    assert lines()[0]["request_id"] in answer.content.decode()


@pytest.mark.django_db
def test_a_host_that_is_not_ours_is_refused_with_a_page(client: Client) -> None:
    answer = client.get("/", headers={"Host": "elsewhere.example.org"})

    assert answer.status_code == 400
    assert answer["X-Request-ID"] in answer.content.decode()

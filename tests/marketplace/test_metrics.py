"""What the marketplace's `/metrics` tells, and to whom."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from marketplace import clock, metrics
from marketplace.lifecycle import apply_due
from tests.marketplace.conftest import Market

TOKEN = "a token of the one who watches"


@pytest.fixture(autouse=True)
def _token(settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    metrics._unwritten.clear()


def figures(client: Client) -> dict[tuple[str, ...], float]:
    """Every sample, by its name and the values of its labels in the order of their names."""
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


@pytest.mark.django_db
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}])
def test_without_the_token_nothing_is_told(client: Client, header: dict[str, str]) -> None:
    answer = client.get("/metrics", headers=header)

    assert answer.status_code == 401
    assert "MARKETPLACE_METRICS_TOKEN" in answer.content.decode()


@pytest.mark.django_db
def test_with_no_token_set_there_is_no_such_page(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = ""

    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_calls_are_counted_by_operation_and_status(client: Client, market: Market) -> None:
    for _ in range(2):
        market.mturk.get_account_balance()
        metrics.write_counts()
    with pytest.raises(market.mturk.exceptions.RequestError):
        market.mturk.get_hit(HITId="NOSUCHHIT")
    metrics.write_counts()

    told = figures(client)

    assert told["marketplace_calls_total", "GetAccountBalance", "200"] == 2
    assert told["marketplace_calls_total", "GetHIT", "400"] == 1


def test_what_could_not_be_written_is_written_later(
    client: Client, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.mturk.get_account_balance()

    def refuse(*_arguments: object) -> None:
        raise DatabaseError("The database is away.")

    with monkeypatch.context() as away:
        away.setattr(connection, "cursor", refuse)
        with pytest.raises(DatabaseError):
            metrics.write_counts()
    metrics.write_counts()

    assert figures(client)["marketplace_calls_total", "GetAccountBalance", "200"] == 1


def test_a_deadline_nobody_has_written_down_is_a_lag(client: Client, market: Market) -> None:
    assert figures(client)["marketplace_clockwork_lag_seconds",] == 0
    market.accept(market.create_hit(AssignmentDurationInSeconds=600))
    assert figures(client)["marketplace_clockwork_lag_seconds",] == 0
    assert figures(client)["marketplace_assignments_held",] == 1

    clock.advance(timedelta(seconds=660))

    assert 60 <= figures(client)["marketplace_clockwork_lag_seconds",] < 600
    apply_due()
    assert figures(client)["marketplace_clockwork_lag_seconds",] == 0

"""A requester may make so many calls a second, where the operator wants it so."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from marketplace.models import RateBucket
from tests.marketplace.conftest import Market
from tests.marketplace.refusals import refused
from tests.marketplace.test_races import at_once, client_of


def test_without_a_rate_nothing_is_counted(market: Market) -> None:
    with CaptureQueriesContext(connection) as queries:
        market.mturk.get_account_balance()

    assert not any("ratebucket" in query["sql"] for query in queries)


def test_calls_beyond_the_burst_are_throttled_as_aws_does(
    market: Market, make_market: Callable[[str], Market], settings: Settings
) -> None:
    settings.RATE = (0.0001, 3)
    for _ in range(3):
        market.mturk.get_account_balance()

    with refused() as refusal:
        market.mturk.get_account_balance()
    assert (refusal.kind, refusal.code, refusal.message) == ("ThrottlingException", "", "Rate exceeded")
    # It is the requester who is throttled.
    assert make_market("Newsroom").mturk.get_account_balance()


def test_time_fills_the_bucket_and_no_more_than_to_the_brim(market: Market, settings: Settings) -> None:
    settings.RATE = (0.0001, 2)
    market.mturk.get_account_balance()
    # As if nobody had called for a day.
    with connection.cursor() as cursor:
        cursor.execute("update marketplace_ratebucket set filled_at = filled_at - interval '1 day'")

    for _ in range(2):
        market.mturk.get_account_balance()
    with refused() as refusal:
        market.mturk.get_account_balance()
    assert refusal.kind == "ThrottlingException"


def test_a_throttled_call_is_checked_for_nothing_but_its_signature(
    market: Market, settings: Settings
) -> None:
    settings.RATE = (0.0001, 1)
    market.mturk.get_account_balance()

    with refused() as refusal:
        market.mturk.get_hit(HITId="lower")

    assert refusal.kind == "ThrottlingException"


@pytest.mark.django_db(transaction=True)
def test_calls_racing_share_one_bucket(make_market: Callable[[str], Market], settings: Settings) -> None:
    market = make_market("Lab")
    settings.RATE = (0.0001, 4)

    outcomes = at_once([lambda: client_of(market).get_account_balance()] * 12, threads=6)

    assert outcomes == {"done": 4, "ThrottlingException": 8}
    assert RateBucket.objects.get().calls < 1

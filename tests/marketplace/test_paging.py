from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from tests.marketplace.conftest import Market
from tests.marketplace.refusals import refused


def sweep(market: Market, size: int) -> list[list[str]]:
    pages, members = [], {"MaxResults": size}
    while True:
        page = market.mturk.list_hits(**members)
        assert page["NumResults"] == len(page["HITs"])
        if not page["HITs"]:
            assert "NextToken" not in page
            return pages
        pages.append([hit["HITId"] for hit in page["HITs"]])
        members["NextToken"] = page["NextToken"]


def test_every_page_with_rows_has_a_token_and_the_end_is_empty(market: Market) -> None:
    ids = [market.create_hit().mturk_id for _ in range(5)]

    assert sweep(market, 2) == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    assert sweep(market, 5) == [ids[::-1]]


def test_ten_come_when_nothing_is_said(market: Market) -> None:
    for _ in range(11):
        market.create_hit()

    assert market.mturk.list_hits()["NumResults"] == 10


def test_an_empty_list_has_no_token(market: Market) -> None:
    assert sweep(market, 10) == []


def test_rows_added_meanwhile_shift_no_page(market: Market) -> None:
    ids = [market.create_hit().mturk_id for _ in range(4)]
    first = market.mturk.list_hits(MaxResults=2)
    market.create_hit()

    second = market.mturk.list_hits(MaxResults=2, NextToken=first["NextToken"])

    assert [hit["HITId"] for hit in first["HITs"] + second["HITs"]] == ids[::-1]


def test_the_paginator_of_boto3_reaches_the_end(market: Market) -> None:
    hit = market.create_hit(MaxAssignments=7)
    for _ in range(7):
        market.submit(hit)

    pages = market.mturk.get_paginator("list_assignments_for_hit").paginate(HITId=hit.mturk_id, MaxResults=3)

    assert [page["NumResults"] for page in pages] == [3, 3, 1, 0]


def test_a_token_is_short_and_opaque(market: Market) -> None:
    market.create_hit()

    token = market.mturk.list_hits()["NextToken"]

    assert len(token) <= 255
    assert token.startswith("p1:")


@pytest.mark.parametrize("wrong", ["nonsense", "p1:", "p1:AAAA", "p1:!!!!", "é", "x" * 256, ""])
def test_a_made_up_token_is_refused(market: Market, wrong: str) -> None:
    market.create_hit()

    with refused() as refusal:
        market.mturk.list_hits(NextToken=wrong)
    assert refusal.kind == "ParameterValidationError"
    assert "NextToken" in refusal.message


def test_a_token_of_another_list_is_refused(make_market: Any) -> None:
    market = make_market("Lab")
    hit, other = market.create_hit(), market.create_hit()
    market.submit(hit)
    of_hits = market.mturk.list_hits()["NextToken"]
    of_answers = market.mturk.list_assignments_for_hit(HITId=hit.mturk_id)["NextToken"]

    for call in (
        lambda: market.mturk.list_hits(NextToken=of_answers),
        lambda: market.mturk.list_hits(NextToken=of_hits[:-3] + "AAA"),
        lambda: make_market("Newsroom").mturk.list_hits(NextToken=of_hits),
        lambda: market.mturk.list_assignments_for_hit(HITId=other.mturk_id, NextToken=of_answers),
        lambda: market.mturk.list_assignments_for_hit(
            HITId=hit.mturk_id, AssignmentStatuses=["Approved"], NextToken=of_answers
        ),
    ):
        with refused() as refusal:
            call()
        assert refusal.kind == "ParameterValidationError"


@pytest.mark.parametrize("size", [0, -1, 101])
def test_a_page_has_1_to_100_rows(market: Market, size: int) -> None:
    with refused() as refusal:
        market.mturk.list_hits(MaxResults=size)
    assert refusal.kind == "ParameterValidationError"


def test_with_a_lag_new_hits_come_into_lists_later(market: Market, settings: Settings) -> None:
    settings.LAG = timedelta(seconds=15)
    hit = market.create_hit()

    assert market.mturk.list_hits()["HITs"] == []
    assert market.mturk.get_hit(HITId=hit.mturk_id)["HIT"]["HITId"] == hit.mturk_id

    market.wait(seconds=16)
    assert [each["HITId"] for each in market.mturk.list_hits()["HITs"]] == [hit.mturk_id]

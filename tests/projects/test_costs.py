"""The receipt of a batch, and what a Worker earns an hour."""

from datetime import timedelta
from decimal import Decimal

import pytest

from projects.costs import Cost, batch_cost, hourly_wage


def test_four_tweets_with_five_answers_each_cost_one_dollar_twenty():
    cost = batch_cost(rows=4, reward=Decimal("0.05"), max_assignments=5, schedule="mturk")

    assert cost == Cost(
        rows=4,
        assignments=20,
        reward=Decimal("1.00"),
        fee_each=Decimal("0.01"),
        fee=Decimal("0.20"),
        total=Decimal("1.20"),
    )


@pytest.mark.parametrize(
    ("rows", "reward", "answers", "fee_each", "total"),
    [
        # The price list's own examples, for one row.
        (1, "0.01", 1, "0.01", "0.02"),
        (1, "0.05", 3, "0.01", "0.18"),
        (1, "0.50", 9, "0.10", "5.40"),
        # From ten answers on, 40 %.
        (1, "0.50", 10, "0.20", "7.00"),
        # The step is taken by each HIT's own number of answers, not by that of the batch.
        (1000, "0.50", 9, "0.10", "5400.00"),
        (800, "0.10", 10, "0.04", "1120.00"),
        # Never less than a cent: a cent of fee on a cent of reward.
        (800, "0.01", 1, "0.01", "16.00"),
        # Rounded per answer, so that it is what MTurk will take.
        (100, "0.13", 1, "0.03", "16.00"),
        (100, "0.12", 1, "0.02", "14.00"),
        (0, "0.05", 5, "0.01", "0.00"),
    ],
)
def test_a_batch_costs_reward_and_fee_for_every_answer(rows, reward, answers, fee_each, total):
    cost = batch_cost(rows=rows, reward=Decimal(reward), max_assignments=answers, schedule="mturk")

    assert (str(cost.fee_each), cost.total) == (fee_each, Decimal(total))
    assert cost.reward + cost.fee == cost.total
    # Sums are exact: a cent is the smallest part of each.
    assert all(sum_ == sum_.quantize(Decimal("0.01")) for sum_ in (cost.reward, cost.fee, cost.total))


def test_a_market_without_fees_costs_the_rewards_alone():
    cost = batch_cost(rows=4, reward=Decimal("0.05"), max_assignments=10, schedule="none")

    assert (cost.fee, cost.total) == (Decimal("0.00"), Decimal("2.00"))


@pytest.mark.parametrize(
    ("reward", "takes", "wage"),
    [
        ("0.05", timedelta(seconds=30), "6.00"),
        ("0.05", timedelta(seconds=35), "5.14"),
        ("1.00", timedelta(hours=2), "0.50"),
        ("0.10", timedelta(milliseconds=500), "720.00"),
    ],
)
def test_the_hourly_wage_is_the_reward_over_the_time(reward, takes, wage):
    assert str(hourly_wage(Decimal(reward), takes)) == wage


@pytest.mark.parametrize("takes", [None, timedelta(0)])
def test_the_hourly_wage_is_unknown_while_the_time_is(takes):
    assert hourly_wage(Decimal("0.05"), takes) is None

from decimal import Decimal

import pytest

from mturkhub.gateway.fees import bonus_fee, fee_per_assignment


@pytest.mark.parametrize(
    ("reward", "max_assignments", "masters", "fee"),
    [
        # The price list's own examples.
        ("0.01", 1, False, "0.01"),
        ("0.05", 3, False, "0.01"),
        ("0.50", 9, False, "0.10"),
        ("0.50", 10, False, "0.20"),
        ("1.00", 5, True, "0.25"),
        ("2.00", 1, False, "0.40"),
        # Half a cent goes up, less goes down.
        ("0.52", 1, False, "0.10"),
        ("0.53", 1, False, "0.11"),
        ("0.12", 1, False, "0.02"),
        ("0.125", 1, False, "0.03"),
        # Never less than a cent.
        ("0.00", 1, False, "0.01"),
        ("0.00", 10, True, "0.01"),
        # The parts are added before they are rounded.
        ("0.10", 10, True, "0.05"),
    ],
)
def test_the_fee_follows_mturks_price_list(reward, max_assignments, masters, fee):
    assert fee_per_assignment(Decimal(reward), max_assignments, "mturk", masters=masters) == Decimal(fee)


@pytest.mark.parametrize("max_assignments", [1, 10])
def test_a_market_without_fees_charges_nothing(max_assignments):
    assert fee_per_assignment(Decimal("1.00"), max_assignments, "none") == 0


@pytest.mark.parametrize(
    ("amount", "fee"), [("2.00", "0.40"), ("0.01", "0.01"), ("0.52", "0.10"), ("0.53", "0.11")]
)
def test_a_bonus_costs_a_fifth_on_top_and_at_least_a_cent(amount, fee):
    assert bonus_fee(Decimal(amount), "mturk") == Decimal(fee)
    assert bonus_fee(Decimal(amount), "none") == 0

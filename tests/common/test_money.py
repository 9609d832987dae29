from decimal import Decimal

import pytest

from mturkhub.common.money import dollars, to_cents


@pytest.mark.parametrize(
    ("amount", "cents"),
    [
        ("0.005", "0.01"),
        ("0.0049", "0.00"),
        ("0.015", "0.02"),
        # Half up, not half even.
        ("0.025", "0.03"),
        ("-0.005", "-0.01"),
        ("1234567.1", "1234567.10"),
    ],
)
def test_an_amount_is_rounded_half_up_to_the_cent(amount, cents):
    assert str(to_cents(Decimal(amount))) == cents


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0", "$0.00"),
        ("1.2", "$1.20"),
        ("10000", "$10,000.00"),
        ("1234567.895", "$1,234,567.90"),
        ("-3.5", "−$3.50"),
    ],
)
def test_dollars_are_written_with_two_decimals_and_commas(amount, words):
    assert dollars(Decimal(amount)) == words

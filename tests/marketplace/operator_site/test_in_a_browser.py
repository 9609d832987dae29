"""The operator's way in and to a first key, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from marketplace.operator_site.signing_in import new_link
from tests.marketplace.conftest import Market
from tests.marketplace.operator_site.test_operator import path_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_operator_uses_a_link_and_makes_a_key(
    market: Market, live_server: LiveServer, page: Page
) -> None:
    page.goto(live_server.url + path_of(new_link()))
    page.get_by_role("button", name="Open the operator's page").click()
    page.get_by_role("button", name="Add a key").click()

    expect(page.get_by_role("heading", name="New access key of Lab")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^AKIA"))).to_have_count(3)
    page.get_by_label("Dollars for Lab").fill("12.50")
    page.get_by_role("button", name="Deposit").click()
    expect(page.get_by_text("$10,012.50 available")).to_be_visible()

"""A batch is paused, resumed, extended, cancelled and closed from the browser, and the market follows."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys import steps
from tests.journeys.conftest import Backstage

SOON = 45_000


def more(page: Page, name: str) -> None:
    """Choose something behind the batch's "…"."""
    page.get_by_label("More to do with this batch").click()
    page.get_by_role("link", name=name).click()


@pytest.mark.timeout(240)
def test_a_batch_is_paused_resumed_extended_cancelled_and_closed(olive: Page, backstage: Backstage) -> None:
    olive.goto(backstage.make("draft", "Slow tweets", "3"))
    # One at once, and the next in an hour: time enough to think.
    olive.get_by_label("Rows an hour").fill("1")
    olive.get_by_role("button", name="Publish 3 HITs for $0.18").click()
    expect(olive.get_by_text("At most 1 row an hour are created.")).to_be_visible()
    expect(olive.get_by_text("Assignable")).to_be_visible(timeout=SOON)

    olive.get_by_role("button", name="Pause").click()
    expect(olive.get_by_text("Resuming creates 2 HITs for $0.12.")).to_be_visible()
    olive.get_by_role("button", name="Resume").click()
    expect(olive.get_by_text("Going on where it was paused.")).to_be_visible()

    olive.get_by_role("link", name="Extend…").click()
    olive.get_by_label("More answers per row").fill("2")
    olive.get_by_role("button", name="Compute").click()
    olive.get_by_role("button", name=re.compile("Ask for 2 more each for ")).click()
    expect(olive.get_by_text("Asked for; the HITs grow within seconds.")).to_be_visible()
    steps.open_tab(olive, "Rows")
    olive.get_by_role("link", name="1", exact=True).click()
    expect(olive.get_by_text("3 answers instead of 1")).to_be_visible()

    more(olive, "Cancel batch…")
    olive.get_by_role("button", name="Cancel this batch").click()
    expect(olive.get_by_text("Nobody can accept its HITs any more.")).to_be_visible(timeout=SOON)

    more(olive, "Close batch…")
    olive.get_by_label(re.compile("at MTurk, too")).check()
    olive.get_by_label(re.compile("type the batch’s name")).fill(
        olive.get_by_role("heading", level=1).inner_text()
    )
    olive.get_by_role("button", name="Close this batch").click()
    expect(olive.get_by_text("Closed", exact=True)).to_be_visible(timeout=SOON)
    steps.open_tab(olive, "Rows")
    expect(olive.get_by_text("Disposed").first).to_be_visible()

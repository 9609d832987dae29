"""One's own work tried out as a Worker: from the batch page to the worker site and back, without spoiling the data."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.journeys import steps
from tests.journeys.conftest import Backstage

SOON = 45_000


def test_a_requester_answers_as_a_test_worker_and_the_answer_stays_out_of_the_data(
    backstage: Backstage, olive: Page, listen: Callable[[Page], Page]
) -> None:
    olive.goto(backstage.make("batch", "Tried out", "1"))
    expect(olive.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON)

    with olive.expect_popup() as opened:
        olive.get_by_role("link", name="Work as a test Worker").click()
    answer_one(listen(opened.value))
    olive.get_by_role("button", name="Refresh now").click()
    expect(olive.locator(".actions").get_by_role("link", name="Review 1")).to_be_visible(timeout=SOON)
    steps.open_tab(olive, "Rows")
    olive.get_by_role("link", name="1", exact=True).click()

    answer = olive.get_by_role("row", name=re.compile("^ATEST"))
    expect(answer).to_contain_text("7")
    expect(answer).to_contain_text("Left out")
    expect(olive.get_by_role("row", name="Mean")).to_contain_text("–")


def answer_one(page: Page) -> None:
    """Accept the first HIT and submit its form, in the frame of the content origin."""
    page.get_by_role("button", name="Accept for $0.05").click()
    question = page.frame_locator("#work-frame")
    expect(question.get_by_text("tweet 1")).to_be_visible()
    question.locator("[name=sentiment]").fill("7")
    question.get_by_role("button", name="Submit").click()
    # The next HIT, or the page that says it went well.
    expect(question.get_by_text("tweet 1")).to_be_hidden(timeout=SOON)

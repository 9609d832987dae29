"""Where the product says no: each time in words, and nothing that was typed or waited is lost."""

import re
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.journeys import steps
from tests.journeys.conftest import Backstage, sign_in
from tests.servers import Stack

SOON = 45_000

pytestmark = pytest.mark.usefixtures("refused")


@pytest.fixture(scope="module")
def answered(backstage: Backstage, stack: Stack, olives_cookies: dict[str, object], browser: Browser) -> str:
    """The address of a batch whose two answers have been collected and wait."""
    address = backstage.make("batch", "Waiting tweets", "2")
    context = browser.new_context(storage_state=olives_cookies, base_url=stack.url)
    page = context.new_page()
    page.goto(address)
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON)
    hits = steps.hit_ids(page, 2)
    backstage.answer([(hit, "AREFUSALS", {"sentiment": "7"}) for hit in hits])
    steps.open_tab(page, "Progress")
    page.get_by_role("button", name="Refresh now").click()
    expect(page.locator(".actions").get_by_role("link", name="Review 2")).to_be_visible(timeout=SOON)
    context.close()
    return address


def test_lines_that_cannot_be_used_are_named_and_dropped_before_anything_costs(olive: Page) -> None:
    steps.make_project(olive, "Broken file")
    steps.save_template(olive)

    steps.paste(olive, 'content,note\ngood,1\nno second cell\n"a ""quoted"", one",3\n"never closed,4\n')

    expect(olive.get_by_text("2 of 4 lines cannot be used.")).to_be_visible()
    expect(olive.get_by_text("Line 3 has 1 cell, the header has 2 cells.")).to_be_visible()
    expect(olive.get_by_text("The quote opened in line 5 is never closed.")).to_be_visible()
    expect(olive.get_by_role("button", name="Go on to cost")).to_have_attribute("aria-disabled", "true")

    olive.get_by_role("button", name="Drop these 2").click()
    expect(olive.get_by_text("2 rows are ready;")).to_be_visible()
    olive.get_by_role("button", name="Go on to cost").click()
    expect(olive.get_by_role("button", name="Publish 2 HITs for $0.60")).to_be_visible()


def test_a_missing_column_stops_the_file_and_names_the_likely_one(olive: Page) -> None:
    steps.make_project(olive, "Wrong column")
    steps.save_template(olive)

    steps.upload(olive, "contents\nhello\n")

    expect(
        olive.get_by_text("The template asks for ${content}, and the file has no such column.").first
    ).to_be_visible()
    expect(olive.get_by_text("Did you mean “contents”?")).to_be_visible()
    expect(olive.get_by_role("button", name="Go on to cost")).to_have_attribute("aria-disabled", "true")


def test_a_rejection_without_a_reason_is_refused_and_the_answer_still_waits(
    olive: Page, answered: str
) -> None:
    olive.goto(f"{answered}review/")
    row = olive.get_by_role("heading", name=re.compile("^Row")).inner_text()

    olive.keyboard.press("r")
    # The browser itself sees that nothing was written, but not that it is only space.
    olive.get_by_label("What the Worker will read").fill("   ")
    olive.get_by_role("button", name=re.compile("^Reject, keep")).click()

    expect(olive.get_by_text("A rejection needs a reason: the Worker reads it.")).to_be_visible()
    expect(olive.get_by_label("What the Worker will read")).to_be_visible()
    expect(olive.get_by_role("heading", name=row)).to_be_visible()
    expect(olive.locator(".filters .total")).to_have_text("2")


def test_a_viewer_who_tries_to_approve_is_told_whom_to_ask(
    stack: Stack,
    backstage: Backstage,
    answered: str,
    new_context: Callable[..., BrowserContext],
    listen: Callable[[Page], Page],
    olive: Page,
) -> None:
    sentence = "Viewers may not approve answers. Ask an owner of the team."
    vera = listen(new_context(base_url=stack.url).new_page())
    sign_in(vera, backstage.make("person", "vera@example.org", "viewer"))

    vera.goto(f"{answered}review/")
    approve = vera.get_by_role("button", name="Approve $0.06")
    expect(approve).to_have_attribute("aria-disabled", "true")
    expect(vera.get_by_text(sentence)).to_be_visible()
    vera.keyboard.press("a")
    approve.click(force=True)
    expect(vera.locator(".filters .total")).to_have_text("2")

    # By hand, past the greyed-out button: with the address a reviewer's button has.
    olive.goto(f"{answered}review/")
    address = olive.locator("form:has([data-key=a])").get_attribute("action")
    token = vera.locator("body").get_attribute("hx-headers") or ""
    refused = vera.request.post(
        f"{stack.url}{address}", headers={"X-CSRFToken": token.split('"')[3]}, max_redirects=0
    )

    assert refused.status == 403
    assert sentence in refused.text()
    olive.reload()
    expect(olive.locator(".filters .total")).to_have_text("2")


def test_a_batch_the_account_cannot_pay_pauses_says_why_and_goes_on_after_a_deposit(
    stack: Stack, backstage: Backstage, olive: Page
) -> None:
    elsewhere = connect(olive, stack, backstage)
    steps.make_project(olive, "Dear tweets", reward="5.00")
    steps.save_template(olive)
    steps.upload(olive, "content\none\ntwo\nthree\nfour\n")
    olive.get_by_role("button", name="Go on to cost").click()
    olive.get_by_role("radio", name="Nearly empty").check()
    publish = olive.get_by_role("button", name="Publish 4 HITs for $120.00")

    expect(publish).to_be_visible()
    # Asked for now, the balance is not asked for again in the next minute: publishing goes by what was free.
    know_balance(olive.context.new_page())
    spend(elsewhere, dollars=9_940)
    publish.click()

    expect(olive.get_by_text("Creating is paused.")).to_be_visible(timeout=SOON)
    expect(olive.locator(".strip-red")).to_contain_text("funds")
    expect(olive.get_by_text("Publishing", exact=True)).to_be_visible()

    backstage.manage("deposit", "Nearly empty", "100.00")

    expect(olive.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON)
    expect(olive.get_by_text("Creating is paused.")).to_be_hidden()
    steps.open_tab(olive, "Rows")
    expect(olive.get_by_text("Assignable")).to_have_count(4)


def test_a_batch_beyond_its_budget_is_refused_until_an_owner_raises_it(
    olive: Page, backstage: Backstage
) -> None:
    draft = backstage.make("draft", "Budgeted tweets", "4")
    olive.goto(draft)
    publish = olive.get_by_role("button", name="Publish 4 HITs for $0.24")
    # Somebody publishes from a page that was opened before there was a budget.
    late = olive.context.new_page()
    late.goto(draft)
    set_budget(olive, "Budgeted tweets", "0.20")

    late.get_by_role("button", name="Publish 4 HITs for $0.24").click()
    expect(
        late.get_by_text("$0.04 more than it allows. An owner can raise it under Money.").first
    ).to_be_visible()
    late.close()
    olive.goto(draft)
    expect(publish).to_have_attribute("aria-disabled", "true")
    expect(
        olive.get_by_text("This costs $0.24 and the budget of “Budgeted tweets” has $0.20 left")
    ).to_be_visible()

    set_budget(olive, "Budgeted tweets", "0.30")
    olive.goto(draft)
    publish.click()
    expect(olive.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON)
    olive.goto("/money/")
    expect(olive.get_by_text("$0.00 paid, $0.24 held, $0.06 free")).to_be_visible()


def set_budget(page: Page, project: str, dollars: str) -> None:
    """For a whole project, in all."""
    page.goto("/money/")
    page.get_by_label(re.compile("^For")).select_option(label=project)
    page.get_by_label("At most").fill(dollars)
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_text(f"${dollars} in all", exact=True)).to_be_visible()


def connect(page: Page, stack: Stack, backstage: Backstage) -> Any:
    """A Connection of an account with $10,000.00; returns the client of another program that has its keys."""
    key_id, secret = backstage.manage("add_requester", "Nearly empty").split()
    page.goto("/connections/new/")
    page.get_by_label("Name").fill("Nearly empty")
    page.get_by_label("Access key id").fill(key_id)
    page.get_by_label("Secret access key").fill(secret)
    page.get_by_role("button", name="Store keys and test").click()
    expect(page.get_by_text("$10,000.00").first).to_be_visible()
    return boto3.client(
        "mturk",
        endpoint_url=stack.marketplace_url,
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}),
    )


def know_balance(page: Page) -> None:
    """The dashboard asks for the balance of “Nearly empty” now."""
    page.goto("/connections/")
    page.get_by_role("main").get_by_role("link", name="Nearly empty").click()
    page.get_by_role("button", name="Test connection").click()
    # The sum alone stood there before.
    expect(page.get_by_text("Nearly empty works: $10,000.00 available")).to_be_visible()
    page.close()


def spend(elsewhere: Any, *, dollars: int) -> None:
    """Before the dashboard asks for the balance again."""
    elsewhere.create_hit(
        Title="Something else",
        Description="Made by another program.",
        Reward="100.00",
        MaxAssignments=dollars // 140,  # $100 + 40 %
        AssignmentDurationInSeconds=600,
        LifetimeInSeconds=3600,
        Question=QUESTION,
    )


SCHEMA = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"
QUESTION = f"""<HTMLQuestion xmlns="{SCHEMA}"><HTMLContent><![CDATA[<!DOCTYPE html><form><input name="x">
<button>Submit</button></form>]]></HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>"""

"""A reviewer joins: invited by link, with a second factor, doing what a reviewer may and nothing else."""

import re
import time
from collections.abc import Callable

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import BrowserContext, Page, expect

from tests.journeys import steps
from tests.journeys.conftest import Backstage, sign_in
from tests.servers import Stack

SOON = 45_000
EMAIL = "ravi.joins@example.org"
PASSWORD = "correct horse battery"

pytestmark = pytest.mark.usefixtures("refused")


def test_an_invited_reviewer_joins_with_a_second_factor_and_decides_but_does_not_publish(
    stack: Stack,
    backstage: Backstage,
    olive: Page,
    new_context: Callable[..., BrowserContext],
    listen: Callable[[Page], Page],
) -> None:
    batch = published_and_answered(olive, backstage)
    ravi = listen(new_context(base_url=stack.url).new_page())
    stan = listen(new_context(base_url=stack.url).new_page())

    join(ravi, invite(olive))
    secret = set_up_authenticator(ravi)
    sign_out(ravi)
    sign_in_with_code(ravi, secret)
    approve(ravi, batch)
    cannot_publish(ravi, backstage.make("draft", "Not his to publish", "2"))

    sign_in(stan, backstage.make("stranger", "stan.owns@example.org", "Elsewhere"))
    answer = stan.goto(f"{stack.url}{batch}")
    assert answer is not None
    assert answer.status == 404

    olive.goto(f"{batch}activity/")
    done = olive.get_by_role("listitem")
    expect(done.filter(has_text="Ravi Joins approved an answer")).to_be_visible()
    expect(done.filter(has_text=re.compile(r"owner@localhost published"))).to_be_visible()


def published_and_answered(page: Page, backstage: Backstage) -> str:
    """A batch of one row whose answer waits."""
    batch = backstage.make("batch", "Joined tweets", "1")
    page.goto(batch)
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON)
    [hit] = steps.hit_ids(page, 1)
    backstage.answer([(hit, "AJOINING", {"sentiment": "7"})])
    page.goto(batch)
    page.get_by_role("button", name="Refresh now").click()
    expect(page.locator(".actions").get_by_role("link", name="Review 1")).to_be_visible(timeout=SOON)
    return batch


def invite(page: Page) -> str:
    page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Team").click()
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Role").select_option("Reviewer")
    page.get_by_role("button", name="Make an invitation link").click()
    link = page.get_by_label("The link for").input_value()
    page.get_by_role("link", name="Back to the team").click()
    expect(page.get_by_role("row", name=EMAIL)).to_be_visible()
    return link


def join(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_label("Your name").fill("Ravi Joins")
    page.get_by_label("A password").fill(PASSWORD)
    page.get_by_role("button", name="Make an account and join").click()
    expect(page.get_by_text("as reviewer.")).to_be_visible()


def set_up_authenticator(page: Page) -> str:
    """From the menu to the recovery codes; returns the secret that the app would keep."""
    menu(page, "Second factor")
    page.get_by_role("link", name="Set up").click()
    # Joining has just shown who it is; on a slow day that is longer ago than five minutes.
    if page.get_by_role("heading", name="Is it you?").is_visible():
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
    secret = page.get_by_label("Secret").input_value()
    page.get_by_label("Code").fill(code_of(secret))
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    expect(page.get_by_label("Unused codes")).to_have_value(re.compile(r"^(\d{8}\n){9}\d{8}$"))
    return secret


def sign_out(page: Page) -> None:
    page.locator(".top-person").click()
    page.get_by_role("button", name="Sign out").click()


def sign_in_with_code(page: Page, secret: str) -> None:
    page.goto("/account/login/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Your second factor")).to_be_visible()
    page.get_by_label("Code").fill(code_of(secret))
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Home")).to_be_visible()


def approve(page: Page, batch: str) -> None:
    page.goto(f"{batch}review/")
    page.get_by_role("button", name="Approve $0.06").click()
    expect(page.get_by_text("Approving. Undo with Z")).to_be_visible()


def cannot_publish(page: Page, draft: str) -> None:
    """The page of what is to be published says why not, and so does the address of its button."""
    page.goto(f"{draft}cost/")
    expect(page.get_by_text(re.compile("^Reviewers may not .* Ask an owner of the team.$"))).to_be_visible()
    token = page.locator("body").get_attribute("hx-headers") or ""
    refused = page.request.post(f"{draft}publish/", headers={"X-CSRFToken": token.split('"')[3]})

    assert refused.status == 403
    assert "Reviewers may not upload batches. Ask an owner of the team." in refused.text()


def menu(page: Page, name: str) -> None:
    """An entry of the person's own menu."""
    page.locator(".top-person").click()
    page.locator(".menu-list").get_by_role("link", name=name).click()


def code_of(secret: str) -> str:
    """What an authenticator app shows now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))

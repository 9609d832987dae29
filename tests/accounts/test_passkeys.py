"""Passkeys in a real browser, with a key that Chromium makes up."""

from collections.abc import Callable

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from mturkhub.accounts.models import Event
from tests.conftest import Person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("signing_in")]
KEY = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def open_as(page: Page) -> Callable[[Person, str], Page]:
    """A page of somebody at one of the server's addresses, with a key plugged in."""

    def open_page(person: Person, url: str) -> Page:
        session = person.client.cookies[settings.SESSION_COOKIE_NAME].value
        page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": url}])
        devtools = page.context.new_cdp_session(page)
        devtools.send("WebAuthn.enable")
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})
        page.goto(f"{url}/account/2fa/webauthn/add/")
        return page

    return open_page


def test_a_passkey_signs_in_without_a_password(
    ravi: Person, live_server: LiveServer, open_as: Callable[[Person, str], Page]
) -> None:
    page = open_as(ravi, live_server.url)
    page.get_by_label("Signs me in without a password").check()
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("The passkey is added.")).to_be_visible()

    page.context.clear_cookies()
    page.goto(f"{live_server.url}/account/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    assert Event.objects.filter(verb="second_factor.added", details__kind="webauthn").exists()


def test_at_a_bare_address_the_page_says_why_there_are_none(
    ravi: Person, live_server: LiveServer, open_as: Callable[[Person, str], Page]
) -> None:
    page = open_as(ravi, live_server.url.replace("localhost", "127.0.0.1"))

    page.get_by_role("button", name="Add it").click()

    expect(page.get_by_text("Open it by its name, or use a code.")).to_be_visible()

"""The printed link, opened in a browser."""

from playwright.sync_api import Page, expect

from tests.servers import Stack


def test_the_printed_link_signs_the_owner_in_once(stack: Stack, page: Page) -> None:
    link = stack.sign_in_link

    page.goto(link)
    page.get_by_role("button", name=f"Sign in as {stack.email}").click()

    expect(page).to_have_url(f"{stack.url}/")
    expect(page.get_by_role("heading", name="Home")).to_be_visible()

    page.context.clear_cookies()
    page.goto(link)

    expect(page.get_by_text("This sign-in link has been used")).to_be_visible()

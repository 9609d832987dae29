"""What a person does on several journeys, as a person does it: by labels and buttons."""

import re

from playwright.sync_api import Page, expect

TEMPLATE = """<p>How positive is this, from 1 to 10?</p><blockquote>${content}</blockquote>
<form><input type="number" name="sentiment"><button>Submit</button></form>"""


def make_project(page: Page, name: str, *, reward: str = "0.05", answers: int = 5) -> None:
    """From anywhere to the new project's template editor."""
    page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Projects").click()
    page.get_by_role("link", name=re.compile("(New|Make a|first) project")).first.click()
    page.get_by_label("Project name").fill(name)
    page.get_by_label("Title").fill("How positive is it?")
    page.get_by_label("Description").fill("Read one tweet and give it a number.")
    page.get_by_label("Keywords").fill("tweets, sentiment")
    page.get_by_label("Reward per answer").fill(reward)
    page.get_by_label("Answers per row").fill(str(answers))
    page.get_by_role("button", name="Make the project").click()
    expect(page.get_by_role("heading", name="Template")).to_be_visible()


def save_template(page: Page, html: str = TEMPLATE) -> None:
    """Take the template from a file and save it."""
    page.get_by_label("Take it from a file").set_input_files(
        {"name": "question.html", "mimeType": "text/html", "buffer": html.encode()}
    )
    expect(page.get_by_role("textbox", name="HTML")).to_contain_text("sentiment")
    page.get_by_role("button", name="Save a new version").click()
    expect(page.get_by_text("Saved as version 1.")).to_be_visible()


def upload(page: Page, csv: str) -> None:
    """From the template editor to the check of a file."""
    page.get_by_role("link", name="New batch").click()
    page.get_by_label("Choose a file").set_input_files(
        {"name": "tweets.csv", "mimeType": "text/csv", "buffer": csv.encode()}
    )
    page.get_by_role("button", name="Check it").click()


def paste(page: Page, csv: str) -> None:
    """The same with lines pasted instead."""
    page.get_by_role("link", name="New batch").click()
    page.get_by_label("Or paste the lines").fill(csv)
    page.get_by_role("button", name="Check it").click()


def open_tab(page: Page, name: str) -> None:
    """One of the batch's tabs."""
    page.get_by_role("navigation", name="Of this batch").get_by_role("link", name=name).click()


def hit_ids(page: Page, rows: int) -> list[str]:
    """The HITIds of the batch's rows, read off the pages."""
    open_tab(page, "Rows")
    page.get_by_role("link", name="1", exact=True).click()
    found = []
    for number in range(1, rows + 1):
        expect(page.get_by_role("heading", name=f"Row {number}", exact=True)).to_be_visible()
        found.append(page.locator("dt:text-is('HIT ID') + dd").inner_text())
        if number < rows:
            page.get_by_role("link", name=f"Row {number + 1}").click()
    return found

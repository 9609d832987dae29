"""A HIT that a script made on the same account: found, adopted, answered, and decided, all from the dashboard."""

import re
import uuid
from typing import Any

import boto3
import pytest
from playwright.sync_api import Page, expect

from tests.journeys import steps
from tests.journeys.conftest import Backstage

SOON = 45_000
QUESTION = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd">'
    "<HTMLContent><![CDATA[<p>Is there a ferry?</p><form><input name=ferry></form>]]></HTMLContent>"
    "<FrameHeight>0</FrameHeight></HTMLQuestion>"
)


@pytest.fixture
def script(backstage: Backstage) -> Any:
    """Another program with the same account's keys."""
    key_id, secret = backstage.stack.access_keys
    return boto3.client(
        "mturk",
        region_name="us-east-1",
        endpoint_url=backstage.stack.marketplace_url,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
    )


def test_a_hit_made_by_a_script_is_adopted_and_its_answer_is_decided_here(
    backstage: Backstage, olive: Page, script: Any
) -> None:
    title = f"Is there a ferry? {uuid.uuid4().hex[:8]}"
    made = script.create_hit(
        Title=title,
        Description="Look at one picture.",
        Reward="0.05",
        AssignmentDurationInSeconds=600,
        LifetimeInSeconds=3600,
        MaxAssignments=1,
        Question=QUESTION,
        RequesterAnnotation="picture 17",
    )
    hit_id = made["HIT"]["HITId"]
    [assignment_id] = backstage.answer([(hit_id, "AWANDAELSEWHERE", {"ferry": "yes"})])

    olive.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Connections").click()
    olive.locator("table, .card").get_by_role("link", name=re.compile("^(Marketplace|Local)")).first.click()
    olive.get_by_role("link", name="Made elsewhere").click()
    olive.get_by_role("button", name="Look now").click()
    find(olive, title)
    olive.get_by_role("checkbox", name=title).check()
    olive.get_by_role("button", name="Adopt the ticked…").click()
    expect(olive.get_by_role("heading", name="Adopt 1 HIT")).to_be_visible()
    expect(olive.get_by_role("row", name="Still bound at MTurk")).to_contain_text("$0.06")
    olive.get_by_role("button", name="Adopt 1 HIT").click()
    expect(olive.get_by_text("1 HIT adopted.")).to_be_visible(timeout=SOON)

    olive.get_by_role("link", name=title).click()
    expect(olive.get_by_text("Made elsewhere.")).to_be_visible()
    expect(olive.locator(".actions").get_by_role("link", name="Review 1")).to_be_visible(timeout=SOON)
    olive.locator(".actions").get_by_role("link", name="Review 1").click()
    expect(olive.get_by_text("picture 17").first).to_be_visible()
    olive.get_by_role("button", name=re.compile("^Approve")).first.click()
    steps.open_tab(olive, "Progress")
    expect(olive.get_by_text("1 approved")).to_be_visible(timeout=SOON)

    assert script.get_assignment(AssignmentId=assignment_id)["Assignment"]["AssignmentStatus"] == "Approved"


def find(page: Page, title: str) -> None:
    """Search until the sweep has listed it."""
    page.get_by_label("Title or HIT ID").fill(title)
    for _ in range(30):
        page.get_by_role("button", name="Show", exact=True).click()
        if page.get_by_role("checkbox", name=title).count():
            return
        page.wait_for_timeout(1000)
    raise AssertionError(f"{title} was never listed")

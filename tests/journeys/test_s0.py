"""Four tweets, five Workers each, a mean per tweet: the whole story in a browser, from the sign-in link on."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.journeys import steps
from tests.journeys.conftest import Backstage, sign_in
from tests.servers import Stack

TWEETS = [
    "in science class right now... urgh... stupid project..",
    "hmmm what to have for breaky?... Honey on toast",
    "Doing home work",
    "Headed out of town for a few days. Love my girls.",
]
SCORES = [(2, 2, 1, 4, 2), (7, 5, 8, 7, 6), (7, 5, 8, 5, 5), (8, 4, 5, 5, 6)]
MEANS = ["2.2", "6.6", "6.0", "5.6"]
WORKERS = [f"AJOURNEY{letter}" for letter in "ABCDE"]
REASON = "The scale goes from 1 to 10; please read the question again."
# Until the grace time of a decision is over and MTurk has been told, or the next sweep has come.
SOON = 45_000


def test_four_tweets_are_published_answered_decided_and_downloaded(
    stack: Stack, backstage: Backstage, page: Page, listen: Callable[[Page], Page]
) -> None:
    listen(page)

    sign_in(page, stack.sign_in_link)
    publish(page)
    hits = steps.hit_ids(page, 4)
    answer(backstage, hits)
    collect(page)
    decide(page)
    see_means(page)
    check_downloads(page, hits)


def publish(page: Page) -> None:
    steps.make_project(page, "Tweets")
    steps.save_template(page)
    steps.upload(page, "content\n" + "".join(f'"{tweet}"\n' for tweet in TWEETS))
    expect(page.get_by_text("All 4 rows can be used.")).to_be_visible()
    expect(page.frame_locator("iframe").get_by_text(TWEETS[0])).to_be_visible()

    page.get_by_role("button", name="Go on to cost").click()
    expect(page.get_by_role("row", name="Rewards")).to_contain_text("$1.00")
    expect(page.get_by_role("row", name="Fee")).to_contain_text("$0.20")
    expect(page.get_by_role("row", name="Total")).to_contain_text("$1.20")

    page.get_by_role("button", name="Publish 4 HITs for $1.20").click()
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON)


def answer(backstage: Backstage, hits: list[str]) -> None:
    answers = [
        (hit, worker, {"sentiment": str(score)})
        for hit, scores in zip(hits, SCORES, strict=True)
        for worker, score in zip(WORKERS, scores, strict=True)
    ]

    assert len(set(backstage.answer(answers))) == 20


def collect(page: Page) -> None:
    steps.open_tab(page, "Progress")
    page.get_by_role("button", name="Refresh now").click()
    expect(figure(page, "Answers")).to_have_text("20 of 20", timeout=SOON)
    expect(figure(page, "Wait for a decision")).to_have_text("20")


def decide(page: Page) -> None:
    page.locator(".actions").get_by_role("link", name="Review 20").click()
    page.get_by_role("button", name="Approve $0.06").click()
    expect(page.get_by_text("Approving. Undo with Z")).to_be_visible()
    expect(waiting(page)).to_have_text("19")

    page.keyboard.press("a")
    expect(waiting(page)).to_have_text("18")

    page.keyboard.press("r")
    page.get_by_label("What the Worker will read").fill(REASON)
    page.get_by_role("button", name="Reject, keep $0.06").click()
    expect(page.get_by_text("Rejecting. Undo with Z")).to_be_visible()
    expect(waiting(page)).to_have_text("17")

    page.get_by_role("link", name="Approve all 17").click()
    expect(page.get_by_text("paid $1.02 in all, fee included")).to_be_visible()
    page.get_by_role("button", name="Approve 17 answers for $1.02").click()
    expect(page.get_by_text("17 decided.")).to_be_visible(timeout=SOON)

    page.get_by_role("link", name="Batch", exact=True).click()
    steps.open_tab(page, "Progress")
    expect(page.get_by_text("19 approved, 1 rejected")).to_be_visible(timeout=SOON)
    expect(figure(page, "Paid")).to_have_text("$1.14")
    expect(figure(page, "Wait for a decision")).to_have_text("0")


def see_means(page: Page) -> None:
    steps.open_tab(page, "Rows")
    expect(page.locator("tbody tr")).to_have_count(4)
    mean = page.locator("thead th").all_inner_texts().index("Mean")
    shown = page.locator(f"tbody tr > :nth-child({mean + 1})")
    expect(shown).to_have_text(MEANS)

    page.get_by_role("link", name="1", exact=True).click()
    for number, scores in enumerate(SCORES, 1):
        expect(page.get_by_role("row", name="Mean")).to_contain_text(MEANS[number - 1])
        answers = page.locator("table.list tbody tr > :nth-child(2)").all_inner_texts()[:-1]
        assert Counter(answers) == Counter(map(str, scores))
        if number < 4:
            page.get_by_role("link", name=f"Row {number + 1}").click()


def check_downloads(page: Page, hits: list[str]) -> None:
    steps.open_tab(page, "Export")
    lines = list(csv.DictReader(io.StringIO(download(page, "CSV"))))
    objects = [json.loads(line) for line in download(page, "JSON Lines").splitlines()]
    items = json.loads(download(page, "JSON"))

    told = sorted(
        (hit, tweet, str(score))
        for hit, tweet, scores in zip(hits, TWEETS, SCORES, strict=True)
        for score in scores
    )
    assert sorted((line["HITId"], line["Input.content"], line["Answer.sentiment"]) for line in lines) == told
    assert Counter(line["AssignmentStatus"] for line in lines) == {"Approved": 19, "Rejected": 1}
    assert {line["RequesterFeedback"] for line in lines} == {"", REASON}
    assert (
        sorted((each["hit_id"], each["input"]["content"], each["output"]["sentiment"]) for each in objects)
        == told
    )
    assert [
        (
            item["item"],
            item["hit_id"],
            item["assignments_submitted_count"],
            sorted(item["answers"]),
            item["avg_answer"],
        )
        for item in items
    ] == [
        (tweet, hit, 5, sorted(scores), float(mean))
        for tweet, hit, scores, mean in zip(TWEETS, hits, SCORES, MEANS, strict=True)
    ]


def download(page: Page, name: str) -> str:
    with page.expect_download() as begun:
        page.get_by_role("button", name=name, exact=True).first.click()
    return Path(begun.value.path()).read_text(encoding="utf-8")


def figure(page: Page, name: str) -> Locator:
    """The large number of one figure on the Progress tab."""
    return page.locator(".figure").filter(has_text=re.compile(f"^{name}")).locator("dd").first


def waiting(page: Page) -> Locator:
    """How many answers the queue holds."""
    return page.locator(".filters .total")

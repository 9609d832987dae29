"""A Worker's whole way in a real browser, and requesters' pages that attack."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from playwright.sync_api import Error, Page, expect
from pytest_django.live_server_helper import LiveServer

from marketplace.models import HIT, Assignment, Worker
from marketplace.models.assignment import AssignmentState
from marketplace.worker_site import frames, origins
from tests import attacks
from tests.marketplace.conftest import Market
from tests.marketplace.forms import TEST, TEST_KEY, form, free_text, question, selection
from tests.marketplace.test_qualification_types import make
from tests.marketplace.test_requirements import needs
from tests.marketplace.worker_site.conftest import html_question
from tests.marketplace.worker_site.test_submitting import answers

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The marketplace at an address of its own, content below it, as it is set up without settings."""
    content = f"{live_server.url}/content/"
    monkeypatch.setattr(origins, "CONTENT_HOST", urlsplit(content).netloc)
    policy = {
        **django_settings.CONTENT_SECURITY_POLICY,
        "DIRECTIVES": {
            **django_settings.CONTENT_SECURITY_POLICY["DIRECTIVES"],
            "frame-src": ["'self'", live_server.url],
        },
    }
    with override_settings(
        MARKETPLACE_URL=live_server.url,
        MARKETPLACE_CONTENT_URL=content,
        CONTENT_ORIGIN=live_server.url,
        CONTENT_SECURITY_POLICY=policy,
    ):
        yield live_server.url


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser's console says went wrong, on our pages and in the frames."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


@pytest.fixture
def accept(site: str, page: Page) -> Callable[[HIT], Assignment]:
    """A fresh test Worker accepts a HIT of the group."""

    def accept(hit: HIT) -> Assignment:
        page.goto(f"{site}/test-worker?group={hit.hit_type.mturk_id}")
        # Not with the mouse: the button moves while the frame above it grows, and a press that ends beside it is no click.
        page.get_by_role("button", name="Accept for").dispatch_event("click")
        page.wait_for_url("**/tasks/*")
        return Assignment.objects.get(hit=hit, state=AssignmentState.ACCEPTED)

    return accept


def test_a_worker_signs_up_answers_two_hits_in_a_row_and_sees_what_waits(
    market: Market, site: str, page: Page, complaints: list[str]
) -> None:
    form = "<p>Which colour?</p><form><label>Colour <input name=colour required></label><button>Send it</button></form>"
    first, second = (market.create_hit(Question=html_question(form)) for _ in range(2))

    page.goto(site)
    page.get_by_role("link", name="Name the colour").click()
    page.get_by_role("link", name="Sign in to accept").click()
    page.get_by_role("link", name="Make a Worker account").click()
    page.get_by_label("E-mail address").fill("wanda@example.org")
    page.get_by_label("Password").fill("colours and numbers")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_role("button", name="Accept for $0.50").click()
    expect(page.locator("[data-clock]")).to_have_text(re.compile(r"9:5\d|10:00"))
    # Only now stands our script in the frame, which leads its form to us.
    page.wait_for_load_state("load")
    page.get_by_label("Next one by itself").check()
    for colour in ("red", "blue"):
        work = page.url
        question = page.frame_locator("#work-frame")
        question.get_by_label("Colour").fill(colour)
        question.get_by_role("button", name="Send it").click()
        page.wait_for_url(lambda url, work=work: url != work)
    expect(page.get_by_text("There are no HITs left here.")).to_be_visible()
    page.get_by_role("link", name="Earnings").click()
    expect(page.get_by_text("2 sent: 0 approved, 2 waiting, 0 rejected")).to_be_visible()

    assert [answers(hit.assignments.get()) for hit in (first, second)] == [
        [("colour", "red")],
        [("colour", "blue")],
    ]
    assert complaints == []


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<p>Colour?</p><input name=colour value=red>", id="no form at all"),
        pytest.param("<form><input name=colour value=red></form>", id="a form without a button"),
        pytest.param(
            "<form action='https://www.mturk.com/mturk/externalSubmit'>"
            "<input type=hidden name=assignmentId value=''><input name=colour value=red><input type=submit></form>",
            id="MTurk's address and an empty id",
        ),
        pytest.param(
            "<script src='https://s3.amazonaws.com/mturk-public/externalHIT_v1.js'></script>"
            "<form id=mturk_form method=post action='https://workersandbox.mturk.com/mturk/externalSubmit'>"
            "<input type=hidden name=assignmentId id=assignmentId><input name=colour value=red>"
            "<input type=submit id=submitButton value=Submit></form><script>turkSetAssignmentID();</script>",
            id="MTurk's old helper",
        ),
        pytest.param(
            "<form id=f><input type=hidden name=colour value=red></form>"
            "<button type=button onclick='document.getElementById(\"f\").submit()'>Submit</button>",
            id="sent by the page's own script",
        ),
    ],
)
def test_pages_written_for_mturk_can_be_submitted(
    market: Market, accept: Callable[[HIT], Assignment], page: Page, html: str
) -> None:
    assignment = accept(market.create_hit(Question=html_question(html)))

    page.frame_locator("#work-frame").locator("button, [type=submit]").click()

    expect(page.get_by_text("Sent. The requester will decide about it.")).to_be_visible()
    assert answers(assignment) == [("colour", "red")]


def test_however_often_a_page_says_it_was_sent_the_worker_goes_on_once(
    market: Market, accept: Callable[[HIT], Assignment], page: Page
) -> None:
    """A second form would break off the first, which may be accepting the next HIT."""
    html = "<form><input name=colour value=red><button>Send it</button></form>"
    accept(market.create_hit(Question=html_question(html)))
    page.evaluate(
        "() => { document.getElementById('go-on').submit = () => { document.body.dataset.went = (document.body.dataset.went ?? '') + 'x' } }"
    )

    page.frame_locator("#work-frame").get_by_role("button", name="Send it").click()
    page.locator("body[data-went]").wait_for()
    for _ in range(4):
        page.evaluate("document.getElementById('work-frame').dispatchEvent(new Event('load'))")
        page.wait_for_timeout(600)

    assert page.evaluate("document.body.dataset.went") == "x"


def test_in_a_preview_our_own_button_says_what_to_do_first(market: Market, site: str, page: Page) -> None:
    hit = market.create_hit(Question=html_question("<input name=colour>"))

    page.goto(f"{site}/mturk/preview?groupId={hit.hit_type.mturk_id}")

    button = page.frame_locator("#work-frame").get_by_role("button", name="Accept this HIT to answer")
    expect(button).to_be_disabled()


def test_a_frame_grows_with_what_it_holds_and_a_page_as_tall_as_its_frame_does_not_run_away(
    market: Market, site: str, page: Page
) -> None:
    tall = market.create_hit(Title="Tall", Question=html_question("<div style='height:1700px'>x</div>"))
    page.goto(f"{site}/mturk/preview?groupId={tall.hit_type.mturk_id}")
    frame = page.locator("#work-frame")
    expect(frame).to_have_css("height", re.compile("17[0-9][0-9]px"))

    endless = "<style>body{min-height:100vh;margin:0;border-top:30px solid}</style>"
    running = market.create_hit(Title="Running", Question=html_question(endless))
    page.goto(f"{site}/mturk/preview?groupId={running.hit_type.mturk_id}")
    page.wait_for_timeout(500)
    box = frame.bounding_box()
    assert box
    assert box["height"] < 1000


@pytest.fixture(params=["preview", "work"])
def show(
    request: pytest.FixtureRequest, market: Market, site: str, page: Page
) -> Callable[[str], Assignment | None]:
    """Shows a requester's page in a preview, or to a Worker who has accepted it."""

    def show(html: str) -> Assignment | None:
        hit = market.create_hit(Question=html_question(html))
        page.goto(site)
        page.goto(f"{site}/mturk/preview?groupId={hit.hit_type.mturk_id}")
        if request.param == "preview":
            return None
        accept: Callable[[HIT], Assignment] = request.getfixturevalue("accept")
        return accept(hit)

    return show


def test_a_hostile_page_reaches_nothing_of_the_workers(
    show: Callable[[str], Assignment | None], page: Page
) -> None:
    assignment = show(attacks.EVERYTHING)
    address, title = page.url, page.title()

    with attacks.watched(page) as noticed:
        said = attacks.tried_by(page.frames[1])
        page.wait_for_timeout(500)

    assert said == attacks.REFUSED
    assert noticed == attacks.Noticed()
    assert (page.url, page.title()) == (address, title)
    # The hints were not believed: the Worker holds the HIT, and the frame is no taller than a page.
    if assignment:
        assignment.refresh_from_db()
        assert assignment.state == AssignmentState.ACCEPTED
    box = page.locator("#work-frame").bounding_box()
    assert box
    assert box["height"] <= 12_100


@pytest.mark.parametrize(
    "script",
    ["location = 'https://elsewhere.example/'", "document.forms[0].submit()"],
    ids=["address", "form"],
)
def test_a_page_cannot_send_its_frame_elsewhere(
    show: Callable[[str], Assignment | None], page: Page, script: str
) -> None:
    gone: list[str] = []
    page.on("request", lambda request: gone.append(request.url) if "elsewhere" in request.url else None)

    with page.expect_event("framenavigated", lambda frame: frame.url.startswith("chrome-error:")):
        show(
            f'<form action="https://elsewhere.example/collect"><input name=a></form>{attacks.page_that(script)}'
        )

    assert gone == []


def test_a_page_that_hangs_is_stopped_and_said_so_while_the_page_around_lives(
    show: Callable[[str], Assignment | None], page: Page
) -> None:
    assignment = show(attacks.page_that(attacks.NEVER_ENDING["an endless loop"]))

    page.get_by_text(f"did not answer for {20 if assignment else 5} seconds").wait_for()

    assert page.locator("iframe").count() == 0
    if assignment:
        page.get_by_role("button", name="Return this HIT").click()
        page.get_by_text("You returned this HIT.").wait_for()
    else:
        page.get_by_role("link", name="Sign in to accept").click()
        page.wait_for_url("**/sign-in?**")


def test_a_page_that_floods_the_one_around_is_stopped_and_the_server_asked_no_more_than_once_a_second(
    show: Callable[[str], Assignment | None], page: Page
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/state") else None)

    show(attacks.page_that(attacks.FLOOD_THAT_ANSWERS))

    page.get_by_text("flooded this one with messages").wait_for()
    assert len(asked) <= 3


def test_hints_are_asked_about_once_a_second_at_most(
    accept: Callable[[HIT], Assignment], market: Market, page: Page
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/state") else None)
    hints = "setInterval(() => parent.postMessage({mturkhub: 'submitted'}, '*'), 5);"

    accept(market.create_hit(Question=html_question(attacks.page_that(hints))))
    page.wait_for_timeout(3000)

    # A busy machine asks less often, never more.
    assert 1 <= len(asked) <= 6


def test_requesters_html_opened_by_itself_is_in_the_sandbox_too(
    market: Market, site: str, page: Page, wanda: Worker
) -> None:
    """A link straight to the content, without our frame around it, while the Worker is signed in."""
    page.goto(f"{site}/sign-in")
    page.get_by_label("E-mail address").fill("wanda@example.org")
    page.get_by_label("Password").fill("colours and numbers")
    page.get_by_role("button", name="Sign in").click()
    hit = market.create_hit(Question=html_question("<p>Hello</p>"))

    page.goto(frames.frame_for(hit).url)

    assert page.evaluate("self.origin") == "null"
    for act in ("document.cookie", "localStorage.length"):
        with pytest.raises(Error, match="SecurityError"):
            page.evaluate(act)


def test_a_worker_takes_a_timed_test_and_gets_to_the_work_behind_it(
    market: Market, site: str, page: Page, complaints: list[str]
) -> None:
    kind = make(
        market,
        Name="Colours",
        Test=form(
            "<Overview><FormattedContent><![CDATA[<p>Look <b>twice</b></p>]]></FormattedContent></Overview>",
            question("sky", selection("blue", "green")),
            question("grass", selection("blue", "green", style="dropdown")),
        ),
        TestDurationInSeconds=600,
        AnswerKey=TEST_KEY,
    )
    needed = needs(kind["QualificationTypeId"], "EqualTo", 100, guarded="PreviewAndAccept")
    hit = market.create_hit(QualificationRequirements=[needed])

    page.goto(f"{site}/test-worker?group={hit.hit_type.mturk_id}")
    expect(page.get_by_text("This work is for Workers who have all of the above.")).to_be_visible()
    page.get_by_role("link", name="how to get it").click()
    page.get_by_role("button", name="Start the test").click()
    expect(page.locator("[data-clock]")).to_have_text(re.compile(r"9:5\d|10:00"))
    page.get_by_label("Blue").check()
    page.get_by_role("button", name="Submit the test").click()
    expect(page.get_by_text("Choose an answer; this question needs one.")).to_be_visible()
    expect(page.get_by_label("Blue")).to_be_checked()
    page.get_by_role("combobox").select_option("Green")
    page.get_by_role("button", name="Submit the test").click()

    expect(page.get_by_text("You were given this qualification with the value 100.")).to_be_visible()
    page.goto(f"{site}{hit.hit_type.get_absolute_url()}")
    page.get_by_role("button", name="Accept for").click()
    page.wait_for_url("**/tasks/*")
    # The one page that is answered with 400 says so on the console.
    assert [each for each in complaints if "400" not in each] == []


def test_a_test_whose_time_runs_out_says_so_by_itself(market: Market, site: str, page: Page) -> None:
    kind = make(market, Test=TEST, TestDurationInSeconds=2)

    page.goto(f"{site}/test-worker")
    page.goto(f"{site}/qualifications/{kind['QualificationTypeId']}")
    page.get_by_role("button", name="Start the test").click()

    expect(page.get_by_text("The time for this test ran out before it was submitted.")).to_be_visible()


def test_a_form_is_answered_without_a_frame(
    market: Market, accept: Callable[[HIT], Assignment], page: Page, complaints: list[str]
) -> None:
    parts = (question("sky", selection("blue", "green", most=2)), question("why", free_text()))
    assignment = accept(market.create_hit(Question=form(*parts)))

    page.get_by_label("Blue").check()
    page.get_by_role("textbox").fill("because")
    page.get_by_role("button", name="Submit", exact=True).click()

    expect(page.get_by_text("Sent. The requester will decide about it.")).to_be_visible()
    assignment.refresh_from_db()
    assert "<SelectionIdentifier>blue</SelectionIdentifier>" in assignment.answer
    assert "<FreeText>because</FreeText>" in assignment.answer
    assert complaints == []

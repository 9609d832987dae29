"""What requesters' pages send to /mturk/externalSubmit, and the HTML they are served with."""

import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from marketplace.models import HIT, Assignment, Worker
from marketplace.models.assignment import AssignmentState
from marketplace.worker_site import frames
from tests.marketplace.conftest import Market
from tests.marketplace.worker_site.conftest import html_question

SUBMIT = "/mturk/externalSubmit"


def answers(assignment: Assignment) -> list[tuple[str, str]]:
    assignment.refresh_from_db()
    return re.findall(
        r"<QuestionIdentifier>(.*?)</QuestionIdentifier><FreeText>(.*?)</FreeText>", assignment.answer, re.S
    )


@pytest.mark.parametrize("way", ["urlencoded", "multipart", "get", "query and body"])
def test_every_way_a_form_can_be_sent_is_stored(market: Market, hit: HIT, client: Client, way: str) -> None:
    assignment = market.accept(hit)
    told = {"assignmentId": assignment.mturk_id, "hitId": hit.mturk_id}
    given = {"colour": ["red", "blue"], "why": " so \r\n "}
    form = "application/x-www-form-urlencoded"

    match way:
        case "urlencoded":
            body = f"assignmentId={assignment.mturk_id}&colour=red&colour=blue&why=+so+%0D%0A+"
            answer = client.post(SUBMIT, body, content_type=form)
        case "multipart":
            answer = client.post(SUBMIT, told | given)
        case "get":
            answer = client.get(SUBMIT, told | given)
        case _:
            answer = client.post(
                f"{SUBMIT}?assignmentId={assignment.mturk_id}",
                "colour=red&colour=blue&why=+so+%0D%0A+",
                content_type=form,
            )

    assert answer.status_code == 200
    assert "Sent. Thank you." in answer.content.decode()
    assert answers(assignment) == [("colour", "red|blue"), ("why", " so &#13;\n ")]


def test_of_a_file_only_its_name_is_kept(market: Market, hit: HIT, client: Client) -> None:
    assignment = market.accept(hit)

    client.post(
        SUBMIT, {"assignmentId": assignment.mturk_id, "photo": SimpleUploadedFile("cat.jpg", b"secret")}
    )

    assert answers(assignment) == [("photo", "cat.jpg")]


def test_neither_session_nor_token_nor_origin_is_asked_for(market: Market, hit: HIT) -> None:
    assignment = market.accept(hit)

    answer = Client(enforce_csrf_checks=True).post(
        SUBMIT, {"assignmentId": assignment.mturk_id, "colour": "red"}, headers={"Origin": "null"}
    )

    assert answer.status_code == 200
    assert not answer.cookies
    assert "Cookie" not in answer.headers.get("Vary", "")


def test_the_answer_may_be_framed_by_the_worker_site_alone(market: Market, hit: HIT, client: Client) -> None:
    assignment = market.accept(hit)

    answer = client.post(SUBMIT, {"assignmentId": assignment.mturk_id, "colour": "red"})

    assert f"frame-ancestors {settings.MARKETPLACE_URL}" in answer.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in answer.headers


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE", "colour": "red"},
            "This is a preview: nothing was sent.",
        ),
        ({"assignmentId": "3NOSUCHASSIGNMENT", "colour": "red"}, "There is no such assignment."),
        ({"colour": "red"}, "There is no such assignment."),
        ({"assignmentId": "{held}", "hitId": "x", "workerId": "y"}, "The page sent no answer"),
        ({"assignmentId": "{done}", "colour": "red"}, "This HIT is submitted already."),
        ({"assignmentId": "{returned}", "colour": "red"}, "You returned this HIT"),
    ],
)
def test_what_cannot_be_stored_is_refused_in_words(
    market: Market, client: Client, fields: dict[str, str], sentence: str
) -> None:
    hit = market.create_hit(MaxAssignments=3)
    held, done, returned = market.accept(hit), market.submit(hit), market.accept(hit)
    frames_of = {"held": held.mturk_id, "done": done.mturk_id, "returned": returned.mturk_id}
    from marketplace import lifecycle

    lifecycle.return_assignment(returned.mturk_id)

    answer = client.post(SUBMIT, {name: value.format(**frames_of) for name, value in fields.items()})

    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    held.refresh_from_db()
    assert held.state == AssignmentState.ACCEPTED


def test_a_late_answer_is_refused(market: Market, hit: HIT, client: Client) -> None:
    assignment = market.accept(hit)
    market.wait(seconds=601)

    answer = client.post(SUBMIT, {"assignmentId": assignment.mturk_id, "colour": "red"})

    assert "The time for this HIT ran out" in answer.content.decode()


def content_of(hit: HIT, client: Client) -> str:
    return client.get(frames.frame_for(hit).url.removeprefix(settings.MARKETPLACE_URL)).content.decode()


@pytest.mark.parametrize(
    ("written", "served"),
    [
        ('action="https://www.mturk.com/mturk/externalSubmit"', 'action="{site}/mturk/externalSubmit"'),
        (
            "action='https://workersandbox.mturk.com/mturk/externalSubmit'",
            "action='{site}/mturk/externalSubmit'",
        ),
        ('action="//www.mturk.com/mturk/externalSubmit?a=1"', 'action="{site}/mturk/externalSubmit?a=1"'),
        (
            'src="https://s3.amazonaws.com/mturk-public/externalHIT_v1.js"',
            'src="{site}/static/js/externalHIT_v1.js"',
        ),
        ("https://www.mturk.com/mturk/externalSubmitter", "https://www.mturk.com/mturk/externalSubmitter"),
        ("https://elsewhere.example/mturk/externalSubmit", "https://elsewhere.example/mturk/externalSubmit"),
    ],
)
def test_mturks_own_addresses_lead_here(market: Market, client: Client, written: str, served: str) -> None:
    hit = market.create_hit(Question=html_question(f"<a {written}>x</a>"))

    assert served.format(site=settings.MARKETPLACE_URL) in content_of(hit, client)


def test_requesters_html_is_served_in_a_sandbox_without_cookies(hit: HIT, wandas: Client) -> None:
    answer = wandas.get(frames.frame_for(hit).url.removeprefix(settings.MARKETPLACE_URL))

    policy = answer.headers["Content-Security-Policy"]
    assert policy == f"sandbox allow-scripts allow-forms; frame-ancestors {settings.MARKETPLACE_URL}"
    assert not answer.cookies
    assert "X-Frame-Options" not in answer.headers
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_forged_content_address_leads_nowhere(hit: HIT, client: Client) -> None:
    address = frames.frame_for(hit).url.removeprefix(settings.MARKETPLACE_URL)

    assert client.get(address).status_code == 200
    forged = client.get(address.replace(":", ";", 1))
    assert forged.status_code == 404
    assert "Load the page around it again." in forged.content.decode()
    assert "Cookie" not in forged.headers.get("Vary", "")
    assert client.get(f"/content/{hit.mturk_id}/").status_code == 404


def test_the_html_keeps_its_origin_only_on_a_host_of_its_own(
    hit: HIT, client: Client, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from marketplace.worker_site import origins

    settings.CONTENT_HAS_OWN_HOST = True  # type: ignore[attr-defined]
    settings.ALLOWED_HOSTS = ["*"]  # type: ignore[attr-defined]
    monkeypatch.setattr(origins, "CONTENT_HOST", "content.example.net")
    address = frames.frame_for(hit).url.removeprefix(settings.MARKETPLACE_URL)  # type: ignore[attr-defined]

    def policy(host: str) -> str:
        return client.get(address, headers={"Host": host}).headers["Content-Security-Policy"]

    assert "allow-same-origin" in frames.frame_for(hit).sandbox
    assert "allow-same-origin" in policy("content.example.net")
    # The same page asked for on the worker site's own host.
    assert "allow-same-origin" not in policy("testserver")
    assert client.get("/sign-in", headers={"Host": "content.example.net"}).status_code == 404
    assert client.get("/sign-in", headers={"Host": "testserver"}).status_code == 200


def test_everyone_gets_the_same_assignment_page_only_once(
    market: Market, hit: HIT, wanda: Worker, browser_of: Callable[[Worker], Client]
) -> None:
    """Accepting twice, as a double click does, gives the same assignment."""
    browser = browser_of(wanda)
    address = f"{hit.hit_type.get_absolute_url()}/accept"

    first, second = (browser.post(address, {"hit": hit.mturk_id}).headers["Location"] for _ in range(2))

    assert first == second
    assert Assignment.objects.count() == 1

"""How much the marketplace takes of one request: answers, API calls, Questions. More is refused in words."""

import json

import pytest
from django.test import Client
from django.urls import reverse

from marketplace.models.assignment import AssignmentState
from tests.marketplace.conftest import Market
from tests.marketplace.refusals import refused
from tests.marketplace.worker_site.conftest import SCHEMAS

pytestmark = pytest.mark.django_db

SUBMIT = "/mturk/externalSubmit"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "kind", "more", "sentence"),
    [
        ("a=1&" * 11_000, FORM, {}, "more than 10,000 fields"),
        ("a=" + "x" * 3_000_000, FORM, {}, "larger than 2 MB"),
        ("x", FORM, {"CONTENT_LENGTH": str(13 * 1024 * 1024)}, "larger than 12 MB"),
        ("x", "multipart/form-data", {}, "did not arrive whole"),
    ],
    ids=["fields", "text", "everything", "no boundary"],
)
def test_an_answer_out_of_bounds_is_refused_in_its_frame_and_the_hit_is_still_held(
    market: Market, body: str, kind: str, more: dict[str, str], sentence: str
) -> None:
    assignment = market.accept(market.create_hit())
    body = f"assignmentId={assignment.mturk_id}&{body}" if kind == FORM else body

    response = Client().post(SUBMIT, body, content_type=kind, **more)

    assert response.status_code in (400, 413)
    assert sentence in response.content.decode()
    assert "frame-ancestors http" in response["Content-Security-Policy"]
    assignment.refresh_from_db()
    assert assignment.state == AssignmentState.ACCEPTED


def test_a_form_of_the_worker_site_is_bounded_too() -> None:
    response = Client().post(reverse("worker_site:sign_in"), {}, CONTENT_LENGTH=str(13 * 1024 * 1024))

    assert response.status_code == 413


def test_a_call_that_is_too_large_is_answered_as_mturk_answers() -> None:
    response = Client().post("/", b"x" * 3_000_000, content_type="application/x-amz-json-1.1")

    assert response.status_code in (400, 413)
    assert json.loads(response.content)["__type"]


BOMBS = {
    "billion laughs": "<!DOCTYPE x ["
    + '<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    + "]>{}",
    "a file": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>{}',
    "a remote DTD": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">{}',
    "deep nesting": "<a>" * 5_000 + "{}" + "</a>" * 5_000,
    "a huge attribute": '<a b="' + "x" * 60_000 + '">{}</a>',
    "not XML": "\x00{}",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_question_that_is_a_bomb_is_refused_in_words(market: Market, bomb: str) -> None:
    inner = f'<HTMLQuestion xmlns="{SCHEMAS}2011-11-11/HTMLQuestion.xsd"><HTMLContent>&a11;&e;</HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>'

    with refused() as refusal:
        market.create_hit(Question=bomb.replace("{}", inner))

    assert "Question" in refusal.message

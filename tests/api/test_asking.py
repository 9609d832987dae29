"""What every address has in common: the token, the form of refusals, and bounds."""

import json
from datetime import timedelta

import pytest
import redis
from django.core.cache import cache
from django.test import Client, override_settings
from django.urls import path

from mturkhub.accounts.actions.people import deactivate_person
from mturkhub.api.base import ApiView
from mturkhub.api.problems import server_error
from mturkhub.common import clock
from mturkhub.urls import urlpatterns as pages
from tests.api.conftest import Script, script_of
from tests.factories import ApiTokenFactory, ProjectFactory
from tests.headers import missing_headers

pytestmark = pytest.mark.django_db


class Fails(ApiView):
    def get(self, request):
        raise ValueError("on purpose")


urlpatterns = [path("api/v1/fails", Fails.as_view()), *pages]
handler500 = server_error


def problem_of(response):
    """The problem document, which every refusal is."""
    assert response["Content-Type"] == "application/problem+json"
    told = response.json()
    assert {"type", "title", "status", "detail", "request_id"} <= set(told)
    assert told["status"] == response.status_code
    assert told["request_id"] == response["X-Request-ID"]
    return told


# The token ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer nobody's", "Basic b2xpdmU6eA==", "Token x"]
)
def test_without_a_token_that_opens_something_nothing_is_told(header, connection):
    answer = Client().get("/api/v1/projects", headers={"Authorization": header} if header else {})

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert "under Tokens" in problem_of(answer)["detail"]


def test_a_signed_in_browser_is_nobody_here(olive):
    assert olive.client.get("/api/v1/projects").status_code == 401
    posted = olive.client.post("/api/v1/projects", {"title": "x"}, content_type="application/json")
    assert posted.status_code == 401


def test_a_deactivated_members_token_stops(olive, as_mina, mina):
    assert as_mina.get("projects").status_code == 200

    deactivate_person(mina.membership, by=olive.actor)

    assert problem_of(as_mina.get("projects"))["status"] == 401


def test_a_token_whose_time_is_over_stops(mina):
    ApiTokenFactory(membership=mina.membership, text="old", expires_at=clock.now() + timedelta(hours=1))
    assert Script("old").get("projects").status_code == 200

    clock.advance(timedelta(hours=2))

    assert Script("old").get("projects").status_code == 401


def test_the_team_of_the_token_counts_whatever_the_browser_has_chosen(mina, stan):
    ProjectFactory(team=stan.team)
    script = script_of(mina)
    script.client = stan.client

    assert script.get("projects").json()["results"] == []


# Refusals ----------------------------------------------------------------------------------------


def test_there_is_nothing_at_other_addresses(as_olive):
    for address in ("nothing", "projects/", "projects/1", f"batches/{'0' * 32}/rows/", "openapi.json/"):
        told = problem_of(as_olive.get(address))
        assert (told["status"], "There is nothing here" in told["detail"]) == (404, True)
    for address in ("nothing", "a%0Ab"):
        assert problem_of(Script().get(address))["status"] == 404


def test_a_method_that_is_not_taken_names_those_that_are(as_olive):
    refused = as_olive.ask("delete", "projects")

    assert problem_of(refused)["detail"] == "DELETE is not what this address takes: GET, POST."
    assert set(refused["Allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert as_olive.ask("options", "projects").status_code == 405


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[" * 200_000, "application/json", 400),
        (b"[]", "application/json", 400),
        (b'"x"', "application/json", 400),
        (b'{"title": NaN}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"<x/>", "application/xml", 415),
        (b"--x", "multipart/form-data; boundary=x", 415),
        (b"&" * 10, "application/x-www-form-urlencoded", 400),
        (b"a=1&" * 6000, "application/x-www-form-urlencoded", 413),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_in_words(as_olive, body, kind, status):
    bearer = {"Authorization": f"Bearer {as_olive.token}"}

    answer = Client().post("/api/v1/projects", body, content_type=kind, headers=bearer)

    assert problem_of(answer)["status"] == status


def test_what_is_too_large_is_refused_before_it_is_read(as_olive):
    bearer = {"Authorization": f"Bearer {as_olive.token}"}
    for megabytes, address in (
        (7, "projects"),
        (300, f"projects/{'0' * 8}-0000-7000-8000-{'0' * 12}/batches"),
    ):
        answer = Client().post(
            f"/api/v1/{address}",
            b"x",
            content_type="application/json",
            CONTENT_LENGTH=str(megabytes * 1024 * 1024),
            headers=bearer,
        )
        assert (answer.status_code, answer["Content-Type"]) == (413, "application/problem+json")
        assert "nothing of it was read" in answer.json()["detail"]


def test_a_fault_of_ours_is_told_as_a_problem_without_a_trace(as_olive):
    with override_settings(ROOT_URLCONF=__name__):
        as_olive.client = Client(raise_request_exception=False)
        told = as_olive.get("fails")

    assert "This server made a mistake" in told.json()["detail"]
    assert (told.status_code, told["Content-Type"]) == (500, "application/problem+json")
    assert "on purpose" not in told.content.decode()


def test_every_answer_has_the_headers_of_a_page(as_olive):
    for answer in (as_olive.get("projects"), as_olive.get("nothing"), Script().get("projects")):
        assert missing_headers(answer) == []
        assert not answer.cookies
    assert as_olive.get("projects")["Cache-Control"] == "no-store"


def test_it_is_no_secret_what_can_be_asked_for():
    told = Script().get("openapi.json")

    assert told.status_code == 200
    assert told.json()["openapi"].startswith("3.1")
    assert "/api/v1/batches/{public_id}/publish" in told.json()["paths"]


# How often ---------------------------------------------------------------------------------------


def test_each_token_may_ask_so_often_in_a_minute(olive, mina, settings, monkeypatch):
    cache.clear()
    settings.API_RATE = 3
    monkeypatch.setattr("mturkhub.api.throttling.time.time", lambda: 1_000_000_020.0)
    first, second = script_of(olive), script_of(mina)

    answers = [first.get("projects") for _ in range(5)]

    assert [each.status_code for each in answers] == [200, 200, 200, 429, 429]
    # The minute ends at 1,000,000,020 + 60 - 0.
    assert 0 < int(answers[3]["Retry-After"]) <= 61
    assert f"Ask again in {answers[3]['Retry-After']} s." in problem_of(answers[3])["detail"]
    assert second.get("projects").status_code == 200
    monkeypatch.setattr("mturkhub.api.throttling.time.time", lambda: 1_000_000_090.0)
    assert first.get("projects").status_code == 200


def test_without_valkey_nobody_is_refused(as_olive, monkeypatch):
    def away(*_arguments, **_keywords):
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(cache, "add", away)

    assert as_olive.get("projects").status_code == 200


def test_json_is_told_as_text_and_not_as_escapes(as_olive, olive):
    ProjectFactory(team=olive.team, name="Grüße ☃")

    told = as_olive.get("projects").content

    assert "Grüße ☃" in told.decode()
    assert json.loads(told)["results"][0]["name"] == "Grüße ☃"

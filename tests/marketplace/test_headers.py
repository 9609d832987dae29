"""Headers of the worker site, of requesters' content and of the API, in plain http and behind https."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path, reverse

from marketplace import settings as read
from marketplace.urls import urlpatterns as pages
from marketplace.worker_site import frames, origins
from tests.headers import LONG_KEY, missing_headers, settings_read_with
from tests.marketplace.conftest import Market
from tests.marketplace.worker_site.conftest import html_question

pytestmark = pytest.mark.django_db

HTTPS = {
    "MTURKHUB_URL": "https://hub.example",
    "MARKETPLACE_URL": "https://work.example",
    "MARKETPLACE_CONTENT_URL": "",
}
Ask = Callable[..., HttpResponse]


def fail(request: HttpRequest) -> HttpResponse:
    raise ValueError("on purpose")


urlpatterns = [path("fails", fail), *pages]


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "http":
        yield "http"
    else:
        with settings_read_with(read.__file__, HTTPS):
            monkeypatch.setattr(origins, "CONTENT_HOST", "work.example")
            yield "https"


@pytest.fixture
def ask(scheme: str) -> Ask:
    def ask(address: str, *, method: str = "get", **more: Any) -> HttpResponse:
        client = Client(raise_request_exception=False)
        more.setdefault("HTTP_HOST", "work.example" if scheme == "https" else "localhost")
        response: HttpResponse = getattr(client, method)(address, secure=scheme == "https", **more)
        return response

    return ask


def test_pages_content_the_api_and_errors_have_them_all(ask: Ask, scheme: str, market: Market) -> None:
    hit = market.create_hit(Question=html_question("<form><input name=colour></form>"))
    content = frames.frame_for(hit).url.removeprefix(settings.MARKETPLACE_URL)
    with override_settings(ROOT_URLCONF=__name__):
        answers = {
            200: [
                ask("/healthz"),
                ask("/"),
                ask("/sign-in"),
                ask(hit.hit_type.get_absolute_url()),
                ask(content),
            ],
            302: [ask("/tasks")],
            400: [
                ask("/", HTTP_HOST="elsewhere.example"),
                ask("/mturk/externalSubmit?assignmentId=nothing"),
                ask("/", method="post", content_type="application/x-amz-json-1.1"),
            ],
            404: [ask("/nowhere"), ask("/content/forged/"), ask("/static/nowhere.css")],
            405: [ask("/", method="delete")],
            500: [ask("/fails")],
        }

    for status, responses in answers.items():
        for response in responses:
            where = response.request["PATH_INFO"]
            assert response.status_code == status, where
            is_file = where.startswith("/static/")
            # A signed call is a program's, and no redirect or browser's promise is meant for it.
            https = scheme == "https" and response.request["REQUEST_METHOD"] != "POST"
            assert not missing_headers(response, is_file=is_file, https=https), (where, status)


def test_a_form_without_its_secret_token_is_refused_with_all_of_them(scheme: str) -> None:
    client = Client(enforce_csrf_checks=True)
    host = "work.example" if scheme == "https" else "localhost"

    response = client.post(reverse("worker_site:sign_in"), {}, secure=scheme == "https", HTTP_HOST=host)

    assert response.status_code == 403
    assert missing_headers(response, https=scheme == "https") == []


def test_static_files_have_them_too(ask: Ask, scheme: str) -> None:
    response = ask("/static/favicon.svg")
    response.close()

    assert response.status_code == 200
    assert missing_headers(response, is_file=True, https=scheme == "https") == []


def test_signing_out_clears_what_the_browser_kept(wandas_client: Client) -> None:
    response = wandas_client.post(reverse("worker_site:sign_out"))

    assert response["Clear-Site-Data"] == '"cache"'


@pytest.fixture
def wandas_client(market: Market) -> Client:
    client = Client()
    client.force_login(market.worker())
    return client


def test_djangos_own_check_for_deployment_finds_nothing_behind_https(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The tests' own, because of the browser.
    monkeypatch.delenv("DJANGO_ALLOW_ASYNC_UNSAFE")

    with settings_read_with(read.__file__, HTTPS | {"MARKETPLACE_SECRET_KEY": LONG_KEY}):
        assert run_checks(include_deployment_checks=True) == []

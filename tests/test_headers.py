"""Headers of the dashboard's every kind of answer, in plain http and behind https."""

from collections.abc import Iterator

import pytest
from django.core.checks import run_checks
from django.test import Client, override_settings
from django.urls import path, reverse

from mturkhub import settings as read
from mturkhub.urls import urlpatterns as pages
from projects.previews import Preview, preview_url
from tests.factories import BatchFactory
from tests.headers import LONG_KEY, missing_headers, settings_read_with

pytestmark = pytest.mark.django_db

HTTPS = {"MTURKHUB_URL": "https://hub.example", "MARKETPLACE_URL": "https://work.example"}


def fail(request):
    raise ValueError("on purpose")


urlpatterns = [*pages, path("fails", fail)]


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "http":
        yield "http"
    else:
        with settings_read_with(read.__file__, HTTPS):
            yield "https"


@pytest.fixture
def ask(scheme, olive):
    """Asks for an address as Olive, or as nobody."""

    def ask(address, *, who=None, method="get", **more):
        client = Client(raise_request_exception=False)
        if who:
            client.force_login(who.user, backend="allauth.account.auth_backends.AuthenticationBackend")
        more.setdefault("HTTP_HOST", "hub.example" if scheme == "https" else "localhost")
        return getattr(client, method)(address, secure=scheme == "https", **more)

    return ask


def test_pages_files_and_errors_have_them_all(ask, scheme, olive, connection):
    batch = BatchFactory(project__team=olive.team, connection=connection, published=True, rows=1)
    preview = preview_url(olive.team.pk, olive.user.pk, Preview("<p>x</p>", {}))
    csv = reverse("projects:results_csv", args=[batch.public_id])
    with override_settings(ROOT_URLCONF=__name__):
        answers = {
            200: [
                ask("/healthz"),
                ask("/account/login/"),
                ask("/", who=olive),
                ask(reverse("projects:batch", args=[batch.public_id]), who=olive),
                ask(csv, who=olive),
                ask(preview, who=olive),
            ],
            302: [ask("/")],
            400: [ask("/", HTTP_HOST="elsewhere.example")],
            404: [ask("/nowhere/", who=olive), ask("/static/nowhere.css")],
            405: [ask(csv, who=olive, method="delete")],
            500: [ask("/fails", who=olive)],
        }

    for status, responses in answers.items():
        for response in responses:
            assert response.status_code == status, response.request["PATH_INFO"]
            is_file = response.request["PATH_INFO"].startswith("/static/")
            wrong = missing_headers(response, is_file=is_file, https=scheme == "https")
            assert not wrong, (response.request["PATH_INFO"], status)


def test_static_files_have_them_too(ask, scheme):
    response = ask("/static/favicon.svg")
    response.close()

    assert response.status_code == 200
    assert missing_headers(response, is_file=True, https=scheme == "https") == []
    assert response["X-Frame-Options"] == "DENY"


def test_a_page_without_its_secret_token_is_refused_with_all_of_them(scheme):
    client = Client(enforce_csrf_checks=True)
    host = "hub.example" if scheme == "https" else "localhost"

    response = client.post("/account/login/", {}, secure=scheme == "https", HTTP_HOST=host)

    assert response.status_code == 403
    assert missing_headers(response, https=scheme == "https") == []


def test_downloads_are_not_kept_and_pages_can_be_gone_back_to(olive, connection):
    batch = BatchFactory(project__team=olive.team, connection=connection, published=True, rows=1)

    download = olive.client.get(reverse("projects:results_csv", args=[batch.public_id]))

    assert download["Cache-Control"] == "no-store"
    assert olive.client.get("/")["Cache-Control"] == "private, no-cache"


def test_signing_out_clears_what_the_browser_kept(olive):
    response = olive.client.post(reverse("account_logout"))

    assert response["Clear-Site-Data"] == '"cache"'
    assert "Clear-Site-Data" not in Client().get("/account/login/")


def test_djangos_own_check_for_deployment_finds_nothing_behind_https(
    monkeypatch: pytest.MonkeyPatch,
):
    # The tests' own, because of the browser.
    monkeypatch.delenv("DJANGO_ALLOW_ASYNC_UNSAFE")

    with settings_read_with(read.__file__, HTTPS | {"MTURKHUB_SECRET_KEY": LONG_KEY}):
        assert run_checks(include_deployment_checks=True) == []

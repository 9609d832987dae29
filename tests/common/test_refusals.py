import pytest
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from mturkhub import urls
from mturkhub.common.errors import ActionRefused

SENTENCE = "Row 17 is published already. Nothing was sent twice."


def refuse(request: HttpRequest) -> HttpResponse:
    raise ActionRefused(SENTENCE, status=int(request.GET.get("status", "409")))


urlpatterns = [*urls.urlpatterns, path("refuse/", refuse)]


@pytest.fixture
def page_of_olive(olive, settings) -> Client:
    settings.ROOT_URLCONF = __name__
    return olive.client


def test_after_a_click_the_page_comes_back_with_the_sentence(page_of_olive):
    answer = page_of_olive.post("/refuse/", HTTP_REFERER="http://testserver/batches/?page=2")

    assert answer.status_code == 302
    assert answer["Location"] == "http://testserver/batches/?page=2"
    assert [str(message) for message in get_messages(answer.wsgi_request)] == [SENTENCE]


@pytest.mark.parametrize(
    "referer",
    [
        "",
        "https://evil.example.org/",
        "http://testserver.evil.example.org/",
        "//evil.example.org/",
        "javascript:alert(1)",
        "/relative/",
    ],
)
def test_a_referer_that_is_not_ours_is_never_followed(page_of_olive, referer):
    answer = page_of_olive.post("/refuse/", HTTP_REFERER=referer)

    assert answer.status_code == 409
    assert SENTENCE in answer.content.decode()


@pytest.mark.parametrize("status", [400, 403, 409])
def test_opening_a_page_that_is_refused_shows_the_sentence_with_its_status(page_of_olive, status):
    answer = page_of_olive.get(f"/refuse/?status={status}", HTTP_REFERER="http://testserver/refuse/")

    assert answer.status_code == status
    assert SENTENCE in answer.content.decode()


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_htmx_request_gets_the_sentence_for_the_live_region(page_of_olive, method):
    ask = getattr(page_of_olive, method)

    answer = ask("/refuse/?status=403", HTTP_HX_REQUEST="true", HTTP_REFERER="http://testserver/")

    assert answer.status_code == 403
    assert answer["HX-Retarget"] == "#messages"
    assert answer["HX-Reswap"] == "innerHTML"
    assert SENTENCE in answer.content.decode()
    assert "<html" not in answer.content.decode()


def test_other_errors_are_not_swallowed(page_of_olive, settings):
    with pytest.raises(ValueError, match="nonsense"):
        page_of_olive.get("/refuse/?status=nonsense")

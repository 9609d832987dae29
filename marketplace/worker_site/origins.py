"""Keeps requesters' HTML apart: a host of its own serves that HTML and nothing else."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

CONTENT_PATH = urlsplit(settings.MARKETPLACE_CONTENT_URL).path
CONTENT_HOST = urlsplit(settings.MARKETPLACE_CONTENT_URL).netloc.lower()


class ContentHostMiddleware:
    """Answers 404 on the content host for every page that is not a requester's.

    Such HTML keeps its origin, so a page of ours there would be a page its scripts could read. Static files,
    which WhiteNoise has answered before this, are public anyhow.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if (
            settings.CONTENT_HAS_OWN_HOST
            and is_content_host(request)
            and not request.path.startswith(CONTENT_PATH)
        ):
            return HttpResponse("Nothing is here.\n", status=404, content_type="text/plain")
        return self.get_response(request)


def is_content_host(request: HttpRequest) -> bool:
    """Whether the request came to the host that is meant for requesters' HTML."""
    return request.get_host().lower() == CONTENT_HOST

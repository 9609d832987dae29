"""MTurk's JSON over HTTP."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase


class ApiMiddleware:
    """Answers `POST /`; everything else goes on to the pages."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method == "POST" and request.path == "/":
            return HttpResponse(status=501)
        return self.get_response(request)

"""Refuses an address that holds what no id and no column can."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse


class NulMiddleware:
    """404 for a path or a query with NUL in it: there is nothing of that name."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: object) -> None:
        if "\x00" in request.path or any(
            "\x00" in value for values in request.GET.lists() for value in values[1]
        ):
            raise Http404

"""Refuses a request that is larger than its address can want, before anything of it is read or stored."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string


class BodySizeMiddleware:
    """413 with a sentence. Without a Content-Length nothing is read of a body at all."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        most = settings.MAX_UPLOAD_BODY if request.path.endswith(settings.UPLOAD_PATHS) else settings.MAX_BODY
        if not length.isdecimal() or int(length) > most:
            if request.path.startswith(settings.API_PATH):
                return JsonResponse(
                    {
                        "type": "about:blank",
                        "title": "Content Too Large",
                        "status": 413,
                        "detail": f"What was sent is larger than {most // 1024 // 1024} MB, and nothing of it was read. "
                        "Split a large file and upload its parts.",
                    },
                    status=413,
                    content_type="application/problem+json",
                )
            return HttpResponse(render_to_string("413.html", {"most": most // 1024 // 1024}), status=413)
        return self.get_response(request)

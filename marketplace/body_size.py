"""Refuses a form that is larger than any answer, before anything of it is read or stored."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from marketplace.worker_site.views.content import framed


class BodySizeMiddleware:
    """413 with a sentence. Without a Content-Length nothing is read of a body at all."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > settings.MAX_BODY:
            # As it may stand in a Worker's frame.
            return framed({"refusal": _("This is larger than 12 MB. Nothing of it was sent.")}, status=413)
        return self.get_response(request)

"""Requesters' HTML, and what their forms are sent to. Nothing here reads a cookie."""

from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from marketplace import lifecycle
from marketplace.worker_site.frames import (
    NOT_AVAILABLE,
    hit_of_token,
    read_question,
    sandbox,
    served_page,
)
from marketplace.worker_site.origins import is_content_host


@xframe_options_exempt
@require_GET
def content(request: HttpRequest, token: str) -> HttpResponse:
    """A HIT's HTML as its requester wrote it, in a sandbox; only the worker site may frame it."""
    hit = hit_of_token(token)
    question = read_question(hit.question) if hit else None
    if question is None or not question.html:
        return framed(
            {"refusal": _("This page is too old, or its HIT is gone. Load the page around it again.")},
            status=404,
        )
    response = HttpResponse(served_page(question.html))
    keeps_origin = settings.CONTENT_HAS_OWN_HOST and is_content_host(request)
    response["Content-Security-Policy"] = (
        f"sandbox {sandbox(keeps_origin=keeps_origin)}; frame-ancestors {settings.MARKETPLACE_URL}"
    )
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


@csrf_exempt
@xframe_options_exempt
@require_http_methods(["GET", "POST"])
def external_submit(request: HttpRequest) -> HttpResponse:
    """Store a form as the answer of the assignment it names, which is all the permission it needs.

    Urlencoded or multipart, by POST or GET, as MTurk takes it; of a file only its name is kept.
    """
    try:
        fields = _fields(request)
    except (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent):
        refusal = _("This answer is larger than 2 MB or has more than 10,000 fields. Nothing of it was sent.")
        return framed({"refusal": refusal}, status=413)
    except (MultiPartParserError, UnreadablePostError, BadRequest):
        return framed({"refusal": _("This answer did not arrive whole. Send it again.")}, status=400)
    assignment_id = next((value for name, value in fields if name == "assignmentId" and value), "")
    try:
        if assignment_id == NOT_AVAILABLE:
            raise lifecycle.PREVIEW_ONLY
        lifecycle.submit_assignment(assignment_id, fields)
    except lifecycle.Refused as refusal:
        # "Submitted already" is what a repeat of a lost answer hears, so the page around goes on as well.
        context = {"refusal": refusal.sentence, "is_done": refusal.code == "submitted"}
        return framed(context, status=400)
    return framed({"is_done": True})


def _fields(request: HttpRequest) -> list[tuple[str, str]]:
    fields = [
        (name, value)
        for source in (request.POST, request.GET)
        for name, values in source.lists()
        for value in values
    ]
    return fields + [(name, file.name or "") for name, files in request.FILES.lists() for file in files]


def framed(context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """The answer stands in the frame the form stood in, and the worker site alone may show it."""
    # Without the request, whose context would look for a session.
    response = HttpResponse(render_to_string("submitted.html", context), status=status)
    policy = (
        "default-src 'none'; object-src 'none'; script-src {0}; style-src {0}; font-src {0}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors {0}"
    )
    response["Content-Security-Policy"] = policy.format(settings.MARKETPLACE_URL)
    response["Cache-Control"] = "no-store"
    return response

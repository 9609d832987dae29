"""What a preview frame shows: a signed address that lives for ten minutes, and the page behind it.

The HTML is somebody else's. It is never put into one of our own pages, and its answer carries a sandbox policy.
"""

import json
import re
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.core import signing
from django.http import HttpResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html

from mturkhub.accounts.actors import Actor
from mturkhub.common.models import StoredFile
from mturkhub.common.stored_files import open_file, store_file
from projects.placeholders import fill

LIFE = timedelta(minutes=10)
SALT = "projects.preview"
# `allow-same-origin` is missing on purpose: the frame's origin is opaque, so it reads no cookie and no page of ours.
SANDBOX = "sandbox allow-scripts allow-forms"
# What must stay first in a page, or it would be shown in quirks mode.
_DOCTYPE = re.compile(r"\s*(?:<!--(?:(?!-->).)*-->\s*)*<!doctype[^>]*>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Preview:
    """The HTML of one row as a Worker would see it, before or after accepting."""

    html: str
    values: dict[str, Any]
    is_accepted: bool = True

    def page(self) -> str:
        return fill(self.html, self.values)


def preview_url(team_id: int, user_id: int, preview: Preview) -> str:
    """A signed address for the frame; it also needs the session of the person it was made for."""
    stored = store_file(team_id, "preview", [json.dumps([preview.page()]).encode()], lives=LIFE)
    token = signing.dumps({"file": str(stored.public_id), "user": user_id}, salt=SALT, compress=True)
    # As MTurk tells a page where it is: in the frame's own address.
    assignment = "3PREVIEW00000000000000000000000" if preview.is_accepted else "ASSIGNMENT_ID_NOT_AVAILABLE"
    query = {"assignmentId": assignment, "hitId": "3PREVIEWHIT", "turkSubmitTo": "https://preview.invalid"}
    return f"{reverse('projects:preview', args=[token])}?{urlencode(query)}"


def read_preview(token: str, actor: Actor) -> str | None:
    """The page behind an address of `preview_url`; None when it is too old, forged or somebody else's."""
    try:
        told = signing.loads(token, salt=SALT, max_age=LIFE)
    except signing.BadSignature:
        return None
    if actor.user is None or told["user"] != actor.user.pk:
        return None
    # The team once more: who has left it since sees nothing of it.
    stored = StoredFile.objects.filter(public_id=uuid.UUID(told["file"]), team_id__in=actor.team_ids).first()
    if stored is None:
        return None
    with open_file(stored) as stream:
        return str(json.loads(stream.read())[0])


def preview_response(page: str) -> HttpResponse:
    """The page with a policy that makes its origin opaque; only we may frame it.

    Before its own scripts stands one of ours that lets the page around notice when they hang.
    """
    doctype = _DOCTYPE.match(page)
    start = doctype.end() if doctype else 0
    script = format_html('<script src="{}"></script>', static("js/heartbeat.js"))
    response = HttpResponse(page[:start] + script + page[start:])
    response["Content-Security-Policy"] = f"{SANDBOX}; frame-ancestors 'self'"
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response

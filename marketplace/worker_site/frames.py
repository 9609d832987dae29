"""What a Worker's frame shows: where the question's HTML is, how it is served, and what its frame may do."""

import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.core import signing
from django.templatetags.static import static
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from lxml import etree

from marketplace.models import HIT, Assignment

NOT_AVAILABLE = "ASSIGNMENT_ID_NOT_AVAILABLE"
# A page left open over night still loads; an address that got about does not work for ever.
_TOKEN_AGE = 86_400
_SIGNER = signing.TimestampSigner(salt="marketplace content")

# HTML written for MTurk often names MTurk's own addresses; here they must lead to us.
_SUBMIT_ADDRESS = re.compile(
    r"(?:https?:)?//(?:www|worker|workersandbox)\.mturk\.com/mturk/externalSubmit\b", re.IGNORECASE
)
_HELPER_SCRIPT = re.compile(
    r"(?:https?:)?//(?:s3\.amazonaws\.com/mturk-public|mturk-public\.s3\.amazonaws\.com)/externalHIT_v1\.js",
    re.IGNORECASE,
)
# What must stay first in a page, or it would be shown in quirks mode.
_DOCTYPE = re.compile(r"\s*(?:<!--(?:(?!-->).)*-->\s*)*<!doctype[^>]*>", re.IGNORECASE | re.DOTALL)
_CROWD_ELEMENT = re.compile(r"<crowd-[a-z]", re.IGNORECASE)

_CROWD_NOTE = _(
    "This page uses Amazon's Crowd HTML Elements, which come from Amazon's servers. "
    "If nothing to fill in appears, return the HIT."
)


@dataclass(frozen=True)
class Question:
    """A HIT's Question as it was sent: `html`, `url`, or `is_form` for a QuestionForm, which has no frame."""

    html: str = ""
    url: str = ""
    is_form: bool = False
    # Pixels; 0 grows with the content.
    height: int = 0


def read_question(xml: str) -> Question:
    """The parts of a Question that `questions.check_question` has let in."""
    root = etree.fromstring(xml.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    name = etree.QName(root).localname
    if name == "QuestionForm":
        return Question(is_form=True)
    content, height = (child.text or "" for child in root if isinstance(child.tag, str))
    if name == "HTMLQuestion":
        return Question(html=content, height=int(height))
    return Question(url=content.strip(), height=int(height))


@dataclass(frozen=True)
class Frame:
    """What the page around it needs to know of a frame."""

    url: str
    height: int
    sandbox: str
    # The origin to allow in the page's policy, where the requester serves the page.
    origin: str = ""
    note: str | Promise = ""


def frame_for(hit: HIT, assignment: Assignment | None = None) -> Frame:
    """The frame of a HIT with HTML or a page elsewhere, before or after accepting it."""
    question = read_question(hit.question)
    told = _told(hit, assignment)
    if question.url:
        parts = urlsplit(question.url)
        joint = "&" if parts.query else "?"
        fragment = f"#{parts.fragment}" if parts.fragment else ""
        address = question.url.partition("#")[0].removesuffix("?")
        return Frame(
            url=f"{address}{joint}{urlencode(told)}{fragment}",
            height=question.height,
            # On a host of its own (`questions` refuses ours), so it may keep its own cookies.
            sandbox=sandbox(keeps_origin=True),
            origin=f"{parts.scheme}://{parts.netloc}",
        )
    return Frame(
        url=f"{settings.MARKETPLACE_CONTENT_URL}{_SIGNER.sign(hit.mturk_id)}/?{urlencode(told)}",
        height=question.height,
        sandbox=sandbox(keeps_origin=settings.CONTENT_HAS_OWN_HOST),
        note=_CROWD_NOTE if _CROWD_ELEMENT.search(question.html) else "",
    )


def sandbox(*, keeps_origin: bool) -> str:
    """What a frame may do: run and send forms; keep its origin only where that is nobody's of ours."""
    return "allow-scripts allow-forms" + (" allow-same-origin" if keeps_origin else "")


def _told(hit: HIT, assignment: Assignment | None) -> dict[str, str]:
    told = {
        "assignmentId": assignment.mturk_id if assignment else NOT_AVAILABLE,
        "hitId": hit.mturk_id,
        "turkSubmitTo": settings.MARKETPLACE_URL,
    }
    return told | ({"workerId": assignment.worker.mturk_id} if assignment else {})


def hit_of_token(token: str) -> HIT | None:
    """The HIT of a content address; None when it is forged or too old."""
    try:
        mturk_id = _SIGNER.unsign(token, max_age=_TOKEN_AGE)
    except signing.BadSignature:
        return None
    return HIT.objects.filter(mturk_id=mturk_id).first()


def served_page(html: str) -> str:
    """The requester's HTML with MTurk's addresses led here, and our scripts at its two ends.

    The first lets the page around notice when the requester's own scripts hang.
    """
    html = _SUBMIT_ADDRESS.sub(f"{settings.MARKETPLACE_URL}/mturk/externalSubmit", html)
    html = _HELPER_SCRIPT.sub(f"{settings.CONTENT_ORIGIN}{static('js/externalHIT_v1.js')}", html)
    script = format_html(
        '<script src="{}" data-submit="{}" data-preview="{}"></script>',
        f"{settings.CONTENT_ORIGIN}{static('js/content_frame.js')}",
        gettext("Submit"),
        gettext("Accept this HIT to answer"),
    )
    doctype = _DOCTYPE.match(html)
    start = doctype.end() if doctype else 0
    heartbeat = format_html(
        '<script src="{}"></script>', f"{settings.CONTENT_ORIGIN}{static('js/heartbeat.js')}"
    )
    return f"{html[:start]}{heartbeat}{html[start:]}\n{script}\n"

"""Checks a HIT's Question: one of MTurk's three kinds, within its limits, and safe to show in a frame."""

from urllib.parse import urlsplit

from django.conf import settings
from lxml import etree

from marketplace import question_form
from marketplace.addresses import web_origin
from marketplace.errors import invalid
from marketplace.xml_reading import SCHEMAS, check_name, read_xml

_NAMESPACES = {
    "HTMLQuestion": (f"{SCHEMAS}2011-11-11/HTMLQuestion.xsd",),
    "ExternalQuestion": (f"{SCHEMAS}2006-07-14/ExternalQuestion.xsd",),
    "QuestionForm": question_form.NAMESPACES,
}
HTML_NAMESPACE = _NAMESPACES["HTMLQuestion"][0]


def check_question(question: str) -> None:
    """Raise ParameterValidationError, in words, unless the Question is one a Worker can be shown."""
    root = read_xml(question, "Question")
    name = str(etree.QName(root).localname)
    if name not in _NAMESPACES:
        raise invalid(
            f"The Question's outer element is {name}; "
            "it must be HTMLQuestion, ExternalQuestion or QuestionForm."
        )
    check_name(root, name, _NAMESPACES[name], "Question")
    if name == "QuestionForm":
        question_form.read_form(root)
    else:
        _check_frame(root, content="HTMLContent" if name == "HTMLQuestion" else "ExternalURL")


def _check_frame(root: etree._Element, *, content: str) -> None:
    children = list(root)
    expected = [str(etree.QName(etree.QName(root).namespace, name)) for name in (content, "FrameHeight")]
    if [child.tag for child in children] != expected:
        raise invalid(f"{etree.QName(root).localname} must hold {content} and FrameHeight, in this order.")
    if any(len(child) for child in children):
        raise invalid(f"{content} and FrameHeight hold text, not elements; put HTML into CDATA.")
    _check_frame_height(children[1].text or "")
    text = (children[0].text or "").strip()
    if not text:
        raise invalid(f"{content} is empty.")
    if content == "ExternalURL":
        _check_external_url(text)


def _check_frame_height(text: str) -> None:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise invalid("FrameHeight must be a whole number of pixels, 0 to fit the window.")


def _check_external_url(url: str) -> None:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    # In its frame such a page would run beside our own cookies, whatever its port.
    if host and host.lower().rstrip(".") in settings.OWN_HOSTS:
        raise invalid(
            f"ExternalURL is on {host}, where this marketplace or its dashboard itself is served. "
            "Serve the page from another host name."
        )
    if web_origin(url) is None:
        raise invalid("ExternalURL must be a full address that begins with https:// or http://.")
    # Browsers refuse such a frame in a page that came over https.
    if settings.MARKETPLACE_URL.startswith("https://") and not url.lower().startswith("https://"):
        raise invalid("ExternalURL must begin with https://, as this marketplace itself does.")

"""Checks a HIT's Question: one of MTurk's three kinds, within its limits, and safe to show in a frame."""

from urllib.parse import urlsplit

from django.conf import settings
from lxml import etree

from marketplace.errors import invalid

MAX_BYTES = 65_535
_SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
_NAMESPACES = {
    "HTMLQuestion": (f"{_SCHEMAS}2011-11-11/HTMLQuestion.xsd",),
    "ExternalQuestion": (f"{_SCHEMAS}2006-07-14/ExternalQuestion.xsd",),
    "QuestionForm": (f"{_SCHEMAS}2017-11-06/QuestionForm.xsd", f"{_SCHEMAS}2005-10-01/QuestionForm.xsd"),
}
HTML_NAMESPACE = _NAMESPACES["HTMLQuestion"][0]
_IN_QUESTION_FORM = {"Overview", "Question"}


def check_question(question: str) -> None:
    """Raise ParameterValidationError, in words, unless the Question is one a Worker can be shown."""
    raw = question.encode()
    if len(raw) > MAX_BYTES:
        raise invalid(f"The Question has {len(raw)} bytes; {MAX_BYTES} are allowed.")
    root = _parse(raw)
    name = etree.QName(root)
    namespaces = _NAMESPACES.get(name.localname)
    if namespaces is None:
        raise invalid(
            f"The Question's outer element is {name.localname}; "
            "it must be HTMLQuestion, ExternalQuestion or QuestionForm."
        )
    if name.namespace not in namespaces:
        raise invalid(f'The namespace of {name.localname} must be "{namespaces[0]}".')
    if name.localname == "QuestionForm":
        _check_question_form(root)
    else:
        _check_frame(root, content="HTMLContent" if name.localname == "HTMLQuestion" else "ExternalURL")


def _parse(raw: bytes) -> etree._Element:
    # Neither entities nor DTDs nor the network: a Question is a stranger's document.
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise invalid(f"There was an error parsing the XML of the Question: {error}.") from None
    if root.getroottree().docinfo.doctype:
        raise invalid("The Question has a document type declaration; leave it out, entities are not allowed.")
    return root


def _check_frame(root: etree._Element, *, content: str) -> None:
    children = [child for child in root if isinstance(child.tag, str)]
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
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = None, None
    if parts is None or host is None or parts.scheme not in {"http", "https"}:
        raise invalid("ExternalURL must be a full address that begins with https:// or http://.")
    # In its frame such a page would run beside our own cookies, whatever its port.
    if host.lower().rstrip(".") in settings.OWN_HOSTS:
        raise invalid(
            f"ExternalURL is on {host}, where this marketplace or its dashboard itself is served. "
            "Serve the page from another host name."
        )


def _check_question_form(root: etree._Element) -> None:
    children = [etree.QName(child) for child in root if isinstance(child.tag, str)]
    namespace = etree.QName(root).namespace
    if not children:
        raise invalid("QuestionForm must hold at least one Overview or Question.")
    for child in children:
        if child.localname not in _IN_QUESTION_FORM or child.namespace != namespace:
            raise invalid(f"QuestionForm may hold Overview and Question, not {child.localname}.")

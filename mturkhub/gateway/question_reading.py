"""Reads a Question back into the page it shows; what is no HTMLQuestion is shown as it stands.

It may be anybody's, so no entities, no DTD, no network, and never an exception.
"""

from html import escape

from lxml import etree

from mturkhub.gateway.answer_xml import REPLACEMENT


def page_of(question: str) -> str:
    """The HTML of an HTMLQuestion; of any other Question a page that quotes it."""
    parser = etree.XMLParser(encoding="utf-8", resolve_entities=False, load_dtd=False, no_network=True)
    try:
        root = etree.fromstring(question.encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return _quoted(question)
    content = root.find("{*}HTMLContent")
    if etree.QName(root).localname != "HTMLQuestion" or content is None or not (content.text or "").strip():
        return _quoted(question)
    return str(content.text)


def _quoted(question: str) -> str:
    readable = escape(question.encode("utf-8", "replace").decode().replace("\x00", REPLACEMENT))
    return f"<p>These HITs have no page of their own. This is their question:</p>\n<pre>{readable}</pre>"

"""FormattedContent: the part of XHTML it may hold, checked, and written anew so that nothing else gets through."""

import re
from dataclasses import dataclass, field
from html import escape
from html.entities import html5

from lxml import etree

from marketplace.addresses import web_origin
from marketplace.errors import ApiError, invalid

_NAMESPACE = "http://www.w3.org/1999/xhtml"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_CELLS = "align char charoff valign"
# Each element with its attributes besides those of _EVERYWHERE.
_ATTRIBUTES = {
    name: frozenset(attributes.split())
    for name, attributes in {
        "a": "accesskey charset coords href hreflang name rel rev shape tabindex target type",
        "area": "alt coords href nohref shape target",
        "b": "",
        "big": "",
        "blockquote": "cite",
        "br": "clear",
        "center": "",
        "cite": "",
        "code": "",
        "col": f"{_CELLS} span width",
        "colgroup": f"{_CELLS} span width",
        "dd": "",
        "del": "cite datetime",
        "dl": "compact",
        "dt": "",
        "em": "",
        "font": "color face size",
        **{f"h{level}": "align" for level in range(1, 7)},
        "hr": "align noshade size width",
        "i": "",
        "iframe": "align frameborder height longdesc marginheight marginwidth name scrolling src width",
        "img": "align alt border height hspace ismap longdesc src usemap vspace width",
        "ins": "cite datetime",
        "li": "type value",
        "map": "id name",
        "ol": "compact start type",
        "p": "align",
        "pre": "width",
        "q": "cite",
        "s": "",
        "small": "",
        "strike": "",
        "strong": "",
        "sub": "",
        "sup": "",
        "table": "align bgcolor border cellpadding cellspacing frame rules summary width",
        "tbody": _CELLS,
        "td": f"{_CELLS} abbr axis bgcolor colspan headers height nowrap rowspan scope width",
        "tfoot": _CELLS,
        "th": f"{_CELLS} abbr axis bgcolor colspan headers height nowrap rowspan scope width",
        "thead": _CELLS,
        "tr": f"{_CELLS} bgcolor",
        "u": "",
        "ul": "compact type",
    }.items()
}
_EVERYWHERE = {"title", "lang", "dir", _LANG}
_REQUIRED = {"img": ("src", "alt"), "area": ("alt",), "map": ("id",), "iframe": ("src",)}
# Loaded by the page itself, or followed by whoever clicks.
_LOADED = {("img", "src"), ("iframe", "src")}
_LINKS = {"href", "cite", "longdesc"}
_LINK = re.compile(r"(?:https?|ftp|gopher|telnet)://[^\s]+\Z|(?:news|nntp|mailto):[^\s]+\Z")
_EMPTY = {"area", "br", "col", "hr", "img"}
# Elements that hold only certain others, and no text of their own.
_ONLY = {
    "ul": {"li"},
    "ol": {"li"},
    "dl": {"dt", "dd"},
    "table": {"col", "colgroup", "thead", "tfoot", "tbody", "tr"},
    "colgroup": {"col"},
    "thead": {"tr"},
    "tfoot": {"tr"},
    "tbody": {"tr"},
    "tr": {"th", "td"},
}
_BLOCKS = {
    "blockquote",
    "center",
    "dl",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "ol",
    "p",
    "pre",
    "table",
    "ul",
}
_HOLDS_BLOCKS = {"blockquote", "center", "dd", "del", "iframe", "ins", "li", "map", "td", "th"}
_PLACES = {child: {parent for parent, held in _ONLY.items() if child in held} for child in ("li", "dt", "dd")}
_PLACES |= {child: {"table"} for child in ("thead", "tfoot", "tbody", "colgroup")}
_PLACES |= {"col": {"table", "colgroup"}, "tr": {"table", "thead", "tfoot", "tbody"}, "area": {"map"}}
_PLACES |= {"td": {"tr"}, "th": {"tr"}}
# XML itself knows five names; XHTML's others are characters.
_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]*;)")
_XML_NAMES = {"amp;", "lt;", "gt;", "quot;", "apos;"}


@dataclass
class Fragment:
    """FormattedContent written anew as HTML, and the origins that its images and frames come from."""

    html: str = ""
    images: set[str] = field(default_factory=set)
    frames: set[str] = field(default_factory=set)


def read_fragment(text: str) -> Fragment:
    """The fragment, or ParameterValidationError for anything outside the subset."""
    text = _NAMED.sub(_character, text)
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(f"<FormattedContent>{text}</FormattedContent>".encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise invalid(f"FormattedContent is not well-formed XHTML: {error}.") from None
    fragment = Fragment()
    written = [_escaped(root.text), *(_write(child, fragment, ()) for child in root)]
    fragment.html = "".join(written)
    return fragment


def _character(found: re.Match[str]) -> str:
    return found[0] if found[1] in _XML_NAMES else html5.get(found[1], found[0])


def _escaped(text: str | None) -> str:
    return escape(text or "", quote=False)


def _refuse(sentence: str) -> ApiError:
    return invalid(f"FormattedContent {sentence}")


def _write(element: etree._Element, fragment: Fragment, above: tuple[str, ...]) -> str:
    if not isinstance(element.tag, str):
        raise _refuse("may not hold comments, processing instructions or entities.")
    qualified = etree.QName(element)
    name = str(qualified.localname)
    if name not in _ATTRIBUTES or qualified.namespace not in {None, _NAMESPACE}:
        raise _refuse(f"may not hold the element {name}.")
    _check_place(element, name, above)
    attributes = _read_attributes(element, name, fragment)
    shown = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    tail = _escaped(element.tail)
    if name in _EMPTY:
        return f"<{name}{shown}>{tail}"
    inside = "".join(_write(child, fragment, (*above, name)) for child in element)
    return f"<{name}{shown}>{_escaped(element.text)}{inside}</{name}>{tail}"


def _check_place(element: etree._Element, name: str, above: tuple[str, ...]) -> None:
    parent = above[-1] if above else ""
    if name in _PLACES and parent not in _PLACES[name]:
        raise _refuse(f"has {name} in {parent or 'no element'}; it belongs in {_list(_PLACES[name])}.")
    if parent in _ONLY and name not in _ONLY[parent]:
        raise _refuse(f"has {name} in {parent}, which may hold {_list(_ONLY[parent])} only.")
    if name in _BLOCKS and parent and parent not in _HOLDS_BLOCKS:
        raise _refuse(f"has {name} in {parent}, which holds no blocks.")
    if name == "a" and "a" in above:
        raise _refuse("has a link in a link.")
    if name in _EMPTY and (len(element) or (element.text or "").strip()):
        raise _refuse(f"has something in {name}, which must be empty.")
    if name in _ONLY:
        texts = (element.text, *(child.tail for child in element))
        if any((text or "").strip() for text in texts):
            raise _refuse(f"has text in {name}, which may hold {_list(_ONLY[name])} only.")


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _read_attributes(element: etree._Element, name: str, fragment: Fragment) -> dict[str, str]:
    read: dict[str, str] = {}
    for key, value in ((str(key), str(value)) for key, value in element.attrib.items()):
        if key not in _ATTRIBUTES[name] and key not in _EVERYWHERE:
            raise _refuse(f"may not have the attribute {key.rpartition('}')[2]} on {name}.")
        _check_address(name, key, value, fragment)
        read["lang" if key == _LANG else key] = value
    for key in _REQUIRED.get(name, ()):
        if key not in read:
            raise _refuse(f"needs the attribute {key} on {name}.")
    if name in {"a", "area"}:
        # Leaving must lose nothing, and tell nobody where from.
        read |= {"target": "_blank", "rel": "noopener noreferrer"}
    if name == "iframe":
        read |= {"sandbox": "allow-scripts", "referrerpolicy": "no-referrer"}
        read.setdefault("title", read.get("name", "") or web_origin(read["src"]) or "")
    if name == "img":
        read |= {"referrerpolicy": "no-referrer"}
    return read


def _check_address(name: str, key: str, value: str, fragment: Fragment) -> None:
    if (name, key) in _LOADED:
        origin = web_origin(value)
        if origin is None:
            raise _refuse(f"needs a full address that begins with https:// as the {key} of {name}.")
        (fragment.frames if name == "iframe" else fragment.images).add(origin)
    elif key in _LINKS and not _LINK.match(value):
        raise _refuse(
            f"has “{value}” as the {key} of {name}; allowed are full addresses of "
            "http, https, ftp, news, nntp, mailto, gopher and telnet."
        )

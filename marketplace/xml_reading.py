"""Reads requesters' XML: no entities, no DTDs, no network, and each element's parts in the order of its schema."""

from collections.abc import Iterable

from lxml import etree

from marketplace.errors import ApiError, invalid

SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
MAX_BYTES = 65_535
_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"
_INTEGER = (-(2**31), 2**31 - 1)


def read_xml(text: str, what: str) -> etree._Element:
    """The outer element of a document called `what`, or ParameterValidationError."""
    raw = text.encode()
    if len(raw) > MAX_BYTES:
        raise invalid(f"The {what} has {len(raw)} bytes; {MAX_BYTES} are allowed.")
    # Neither entities nor DTDs nor the network: it is a stranger's document.
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise invalid(f"There was an error parsing the XML of the {what}: {error}.") from None
    if root.getroottree().docinfo.doctype:
        raise invalid(f"The {what} has a document type declaration; leave it out, entities are not allowed.")
    return root


def check_name(root: etree._Element, name: str, namespaces: Iterable[str], what: str) -> None:
    """Refuse a document whose outer element is another, or of another namespace."""
    found = etree.QName(root)
    allowed = tuple(namespaces)
    if found.localname != name:
        raise invalid(f"The {what}'s outer element is {found.localname}; it must be {name}.")
    if found.namespace not in allowed:
        raise invalid(f'The namespace of {name} must be "{allowed[0]}".')


def name_of(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def wrong(element: etree._Element, sentence: str) -> ApiError:
    """The refusal of an element, with its line."""
    return invalid(f"Line {element.sourceline}: {sentence}")


class Parts:
    """An element's children, taken one after another as its schema orders them."""

    def __init__(self, parent: etree._Element) -> None:
        check_attributes(parent)
        if any((text or "").strip() for text in (parent.text, *(child.tail for child in parent))):
            raise wrong(parent, f"{name_of(parent)} holds elements; text between them is not allowed.")
        self._parent = parent
        self._left = list(parent)
        namespace = etree.QName(parent).namespace
        for child in self._left:
            if etree.QName(child).namespace != namespace:
                raise wrong(child, f"{name_of(child)} is of another namespace than {name_of(parent)}.")

    @property
    def next(self) -> str:
        """The name of the child that comes next; nothing at the end."""
        return name_of(self._left[0]) if self._left else ""

    def take(self, *names: str) -> etree._Element:
        """The next child, which must be one of these."""
        wanted = " or ".join(names)
        if not self._left:
            raise wrong(self._parent, f"{name_of(self._parent)} lacks {wanted}.")
        if self.next not in names:
            raise wrong(
                self._left[0], f"{name_of(self._parent)} must have {wanted} here, and has {self.next}."
            )
        return self._left.pop(0)

    def take_if(self, name: str) -> etree._Element | None:
        """The next child if it is this one."""
        return self._left.pop(0) if self.next == name else None

    def take_some(self, *names: str) -> list[etree._Element]:
        """At least one of these, and all that follow."""
        taken = [self.take(*names)]
        while self.next in names:
            taken.append(self._left.pop(0))
        return taken

    def end(self) -> None:
        """Refuse whatever is left."""
        if self._left:
            raise wrong(self._left[0], f"{name_of(self._parent)} may not have {self.next} here.")


def check_attributes(element: etree._Element, *allowed: str) -> None:
    """Refuse attributes other than these; what says where a schema is does no harm."""
    for name in map(str, element.attrib):
        if name not in allowed and not name.startswith(_INSTANCE):
            raise wrong(element, f"{name_of(element)} has no attribute {name}.")


def text_of(element: etree._Element) -> str:
    """The text of an element that may hold nothing else."""
    check_attributes(element)
    if len(element):
        raise wrong(element, f"{name_of(element)} holds text, not elements.")
    return element.text or ""


def token_of(element: etree._Element) -> str:
    """The text of an element, which must not be empty, without the white space around it."""
    text = text_of(element).strip()
    if not text:
        raise wrong(element, f"{name_of(element)} is empty.")
    return text


def integer_of(element: etree._Element, *, least: int = _INTEGER[0], most: int = _INTEGER[1]) -> int:
    return read_integer(element, name_of(element), text_of(element), least=least, most=most)


def read_integer(
    element: etree._Element, name: str, text: str, *, least: int = _INTEGER[0], most: int = _INTEGER[1]
) -> int:
    """A whole number within its bounds, from the element itself or one of its attributes."""
    text = text.strip()
    digits = text.removeprefix("-").removeprefix("+")
    number = int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None
    if number is None or not least <= number <= most:
        raise wrong(element, f"{name} must be a whole number from {least} to {most}.")
    return number


def boolean_of(element: etree._Element) -> bool:
    text = text_of(element).strip()
    if text not in {"true", "false", "1", "0"}:
        raise wrong(element, f"{name_of(element)} must be true or false.")
    return text in {"true", "1"}

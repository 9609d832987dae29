"""Reads QuestionForm, of a HIT or a Qualification test: everything its schema says, and what it cannot say."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

import regex
from lxml import etree

from marketplace.addresses import web_origin
from marketplace.errors import invalid
from marketplace.xhtml import read_fragment
from marketplace.xml_reading import (
    SCHEMAS,
    Parts,
    boolean_of,
    check_attributes,
    check_name,
    integer_of,
    name_of,
    read_integer,
    read_xml,
    text_of,
    token_of,
    wrong,
)

NAMESPACES = (f"{SCHEMAS}2017-11-06/QuestionForm.xsd", f"{SCHEMAS}2005-10-01/QuestionForm.xsd")
DEFAULT_ERROR_TEXT = "Invalid input supplied."
# As in a browser: ASCII digits and letters; a pattern that takes longer than this has said nothing.
_PATTERN_FLAGS = regex.ASCII | regex.VERSION0
_PATTERN_SECONDS = 0.25
_CONTENT = ("Title", "Text", "List", "Binary", "EmbeddedBinary", "FormattedContent", "Application")
_MEDIA = {"image", "audio", "video"}
_ANSWERS = ("FreeTextAnswer", "SelectionAnswer", "FileUploadAnswer")
STYLES = {"radiobutton", "dropdown", "checkbox", "list", "combobox", "multichooser"}
_ONE_ONLY = {"radiobutton", "dropdown"}


@dataclass(frozen=True)
class Piece:
    """One thing to look at: a `kind` of title, text, list, formatted, image, audio or video, and what it takes."""

    kind: str
    # The text; HTML for a formatted one; what a picture shows.
    text: str = ""
    items: tuple[str, ...] = ()
    url: str = ""
    width: int | None = None
    height: int | None = None
    # Origins by the directive of a page's policy.
    sources: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Pattern:
    """An AnswerFormatRegex, and what to say to text it does not fit."""

    source: str
    ignores_case: bool
    error_text: str

    def fits(self, text: str) -> bool:
        """Whether the pattern is found in the text; one that takes too long has nothing against it."""
        try:
            return self._compiled.search(text, timeout=_PATTERN_SECONDS) is not None
        except TimeoutError:
            return True

    @cached_property
    def _compiled(self) -> "regex.Pattern[str]":
        return regex.compile(self.source, _PATTERN_FLAGS | (regex.IGNORECASE if self.ignores_case else 0))


@dataclass(frozen=True)
class FreeText:
    """A text to write, all of whose constraints must hold."""

    is_numeric: bool = False
    min_value: int | None = None
    max_value: int | None = None
    min_length: int = 0
    max_length: int | None = None
    patterns: tuple[Pattern, ...] = ()
    default: str = ""
    lines: int = 1

    def fits_number(self, text: str) -> bool:
        """Whether the text is a number within the bounds."""
        if not regex.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", text.strip(), regex.ASCII):
            return False
        number = Decimal(text.strip())
        return not (
            (self.min_value is not None and number < self.min_value)
            or (self.max_value is not None and number > self.max_value)
        )


@dataclass(frozen=True)
class Selection:
    """One choice of several."""

    identifier: str
    content: Piece


@dataclass(frozen=True)
class Choice:
    """Selections to choose from, at least and at most so many; `other` is one's own words beside them."""

    selections: tuple[Selection, ...]
    least: int = 1
    most: int = 1
    # As suggested; empty where nothing was.
    style: str = ""
    other: FreeText | None = None


@dataclass(frozen=True)
class Question:
    """A question with its one answer."""

    identifier: str
    name: str
    is_required: bool
    content: tuple[Piece, ...]
    answer: FreeText | Choice


@dataclass(frozen=True)
class QuestionForm:
    """Overviews and questions, in order."""

    parts: tuple[tuple[Piece, ...] | Question, ...]

    @property
    def questions(self) -> tuple[Question, ...]:
        return tuple(part for part in self.parts if isinstance(part, Question))

    @property
    def sources(self) -> dict[str, list[str]]:
        """What a page that shows the form loads from elsewhere: origins by directive of its policy."""
        found: dict[str, set[str]] = {}
        for piece in self._pieces():
            for directive, origin in piece.sources:
                found.setdefault(directive, set()).add(origin)
        return {directive: sorted(origins) for directive, origins in found.items()}

    def _pieces(self) -> Iterator[Piece]:
        for part in self.parts:
            yield from part.content if isinstance(part, Question) else part
            if isinstance(part, Question) and isinstance(part.answer, Choice):
                yield from (selection.content for selection in part.answer.selections)


def read_question_form(xml: str, what: str = "Test") -> QuestionForm:
    """The form in a document called `what`, or ParameterValidationError with the line and what is wrong there."""
    root = read_xml(xml, what)
    check_name(root, "QuestionForm", NAMESPACES, what)
    return read_form(root)


def read_form(root: etree._Element) -> QuestionForm:
    """The form whose outer element this is."""
    parts = Parts(root)
    children = parts.take_some("Overview", "Question")
    parts.end()
    form = QuestionForm(
        tuple(
            _read_question(child) if name_of(child) == "Question" else _read_content(child)
            for child in children
        )
    )
    _check_different((question.identifier for question in form.questions), "QuestionIdentifier")
    return form


def _check_different(identifiers: Iterable[str], name: str) -> None:
    seen: set[str] = set()
    for identifier in identifiers:
        if identifier in seen:
            raise invalid(f"The {name} “{identifier}” is there twice.")
        seen.add(identifier)


def _read_question(element: etree._Element) -> Question:
    parts = Parts(element)
    identifier = token_of(parts.take("QuestionIdentifier"))
    name = parts.take_if("DisplayName")
    is_required = parts.take_if("IsRequired")
    content = _read_content(parts.take("QuestionContent"))
    specification = parts.take("AnswerSpecification")
    parts.end()
    return Question(
        identifier=identifier,
        name=text_of(name).strip() if name is not None else "",
        is_required=boolean_of(is_required) if is_required is not None else False,
        content=content,
        answer=_read_answer(specification),
    )


# Content -----------------------------------------------------------------------------------------


def _read_content(element: etree._Element) -> tuple[Piece, ...]:
    parts = Parts(element)
    children = parts.take_some(*_CONTENT)
    parts.end()
    return tuple(_read_piece(child) for child in children)


def _read_piece(element: etree._Element) -> Piece:
    name = name_of(element)
    if name in {"Title", "Text"}:
        return Piece(name.lower(), text=text_of(element))
    if name == "List":
        parts = Parts(element)
        items = tuple(text_of(item) for item in parts.take_some("ListItem"))
        parts.end()
        return Piece("list", items=items)
    if name == "FormattedContent":
        return _read_formatted(element)
    if name == "Binary":
        return _read_binary(element)
    if name == "EmbeddedBinary":
        return _read_embedded(element)
    raise wrong(
        element, f"{name} is not supported: browsers run neither Flash nor applets. Use FormattedContent."
    )


def _read_formatted(element: etree._Element) -> Piece:
    fragment = read_fragment(text_of(element))
    sources = [("img-src", origin) for origin in sorted(fragment.images)]
    sources += [("frame-src", origin) for origin in sorted(fragment.frames)]
    return Piece("formatted", text=fragment.html, sources=tuple(sources))


def _read_binary(element: etree._Element) -> Piece:
    parts = Parts(element)
    kind = _read_mime_type(parts.take("MimeType"), sub_type_required=False)
    url, alt = parts.take("DataURL"), parts.take("AltText")
    parts.end()
    return _media(kind, url, alt)


def _read_embedded(element: etree._Element) -> Piece:
    parts = Parts(element)
    kind = _read_mime_type(parts.take("EmbeddedMimeType"), sub_type_required=True)
    url, alt = parts.take("DataURL"), parts.take("AltText")
    width = integer_of(parts.take("Width"), least=0, most=10_000)
    height = integer_of(parts.take("Height"), least=0, most=10_000)
    while (parameter := parts.take_if("ApplicationParameter")) is not None:
        inner = Parts(parameter)
        text_of(inner.take("Name"))
        text_of(inner.take("Value"))
        inner.end()
    parts.end()
    return _media(kind, url, alt, width, height)


def _read_mime_type(element: etree._Element, *, sub_type_required: bool) -> str:
    parts = Parts(element)
    kind = parts.take("Type")
    if token_of(kind) not in _MEDIA:
        raise wrong(kind, "Type must be image, audio or video.")
    sub_type = parts.take("SubType") if sub_type_required else parts.take_if("SubType")
    if sub_type is not None:
        token_of(sub_type)
    parts.end()
    return token_of(kind)


def _media(
    kind: str,
    url: etree._Element,
    alt: etree._Element,
    width: int | None = None,
    height: int | None = None,
) -> Piece:
    origin = web_origin(token_of(url))
    if origin is None:
        raise wrong(url, "DataURL must be a full address that begins with https:// or http://.")
    directive = "img-src" if kind == "image" else "media-src"
    return Piece(
        kind,
        text=text_of(alt),
        url=token_of(url),
        width=width,
        height=height,
        sources=((directive, origin),),
    )


# Answers -----------------------------------------------------------------------------------------


def _read_answer(element: etree._Element) -> FreeText | Choice:
    parts = Parts(element)
    child = parts.take(*_ANSWERS)
    parts.end()
    if name_of(child) == "FreeTextAnswer":
        return _read_free_text(child)
    if name_of(child) == "SelectionAnswer":
        return _read_choice(child)
    raise wrong(child, "FileUploadAnswer is not supported any more. Ask for an address of the file instead.")


@dataclass
class _Constraints:
    is_numeric: bool = False
    values: tuple[int | None, int | None] = (None, None)
    lengths: tuple[int | None, int | None] = (None, None)
    patterns: list[Pattern] = field(default_factory=list)


def _read_free_text(element: etree._Element) -> FreeText:
    parts = Parts(element)
    constraints = parts.take_if("Constraints")
    default = parts.take_if("DefaultText")
    lines = parts.take_if("NumberOfLinesSuggestion")
    parts.end()
    found = _read_constraints(constraints) if constraints is not None else _Constraints()
    return FreeText(
        is_numeric=found.is_numeric,
        min_value=found.values[0],
        max_value=found.values[1],
        min_length=found.lengths[0] or 0,
        max_length=found.lengths[1],
        patterns=tuple(found.patterns),
        default=text_of(default) if default is not None else "",
        lines=integer_of(lines, least=1) if lines is not None else 1,
    )


def _read_constraints(element: etree._Element) -> _Constraints:
    parts, found = Parts(element), _Constraints()
    numeric, length = parts.take_if("IsNumeric"), parts.take_if("Length")
    if numeric is not None:
        found.is_numeric = True
        found.values = _read_bounds(numeric, "minValue", "maxValue")
    if length is not None:
        found.lengths = _read_bounds(length, "minLength", "maxLength", least=0)
    while (pattern := parts.take_if("AnswerFormatRegex")) is not None:
        found.patterns.append(_read_pattern(pattern))
    parts.end()
    return found


def _read_bounds(
    element: etree._Element, low_name: str, high_name: str, **limits: int
) -> tuple[int | None, int | None]:
    check_attributes(element, low_name, high_name)
    if len(element) or (element.text or "").strip():
        raise wrong(element, f"{name_of(element)} must be empty; its bounds are attributes.")
    low, high = (
        read_integer(element, name, str(element.get(name)), **limits) if name in element.attrib else None
        for name in (low_name, high_name)
    )
    if low is not None and high is not None and low > high:
        raise wrong(element, f"{low_name} is more than {high_name}.")
    return low, high


def _read_pattern(element: etree._Element) -> Pattern:
    check_attributes(element, "regex", "errorText", "flags")
    if len(element) or (element.text or "").strip():
        raise wrong(element, "AnswerFormatRegex must be empty; the pattern is its attribute regex.")
    if "regex" not in element.attrib:
        raise wrong(element, "AnswerFormatRegex needs the attribute regex.")
    flags = str(element.get("flags", ""))
    if flags not in {"", "i"}:
        raise wrong(element, "flags of AnswerFormatRegex can only be i.")
    source = str(element.get("regex"))
    try:
        regex.compile(source, _PATTERN_FLAGS)
    except (regex.error, RecursionError, OverflowError) as error:
        raise wrong(element, f"“{source[:80]}” is no regular expression: {error}.") from None
    return Pattern(source, flags == "i", str(element.get("errorText", DEFAULT_ERROR_TEXT)))


def _read_choice(element: etree._Element) -> Choice:
    parts = Parts(element)
    least, most = parts.take_if("MinSelectionCount"), parts.take_if("MaxSelectionCount")
    style = parts.take_if("StyleSuggestion")
    selections = Parts(parts.take("Selections"))
    parts.end()
    chosen = tuple(_read_selection(each) for each in selections.take_some("Selection"))
    other = selections.take_if("OtherSelection")
    selections.end()
    _check_different((each.identifier for each in chosen), "SelectionIdentifier")
    choice = Choice(
        selections=chosen,
        least=integer_of(least, least=0) if least is not None else 1,
        most=integer_of(most, least=1) if most is not None else 1,
        style=token_of(style) if style is not None else "",
        other=_read_free_text(other) if other is not None else None,
    )
    _check_choice(element, choice)
    return choice


def _read_selection(element: etree._Element) -> Selection:
    parts = Parts(element)
    identifier = token_of(parts.take("SelectionIdentifier"))
    content = _read_piece(parts.take("Text", "Binary", "FormattedContent"))
    parts.end()
    return Selection(identifier, content)


def _check_choice(element: etree._Element, choice: Choice) -> None:
    there_are = len(choice.selections) + (choice.other is not None)
    if choice.least > choice.most:
        raise wrong(element, "MinSelectionCount is more than MaxSelectionCount.")
    if choice.most > there_are:
        raise wrong(element, f"MaxSelectionCount is {choice.most}; there are {there_are} selections.")
    if choice.style and choice.style not in STYLES:
        raise wrong(element, f"StyleSuggestion must be one of {', '.join(sorted(STYLES))}.")
    if choice.style in _ONE_ONLY and choice.most > 1:
        raise wrong(element, f"The style {choice.style} takes one selection; MaxSelectionCount is more.")

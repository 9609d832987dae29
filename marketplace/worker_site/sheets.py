"""A QuestionForm as a Worker fills it in: its fields as they are drawn, and what was sent as answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from marketplace.answers import FormAnswer
from marketplace.question_form import Choice, FreeText, Piece, Question, QuestionForm, Selection

OTHER = "other"
_LISTS = {"dropdown": "select", "list": "listbox", "multichooser": "listbox", "combobox": "combobox"}


class Sent(Protocol):
    """What a browser sent: a QueryDict."""

    def get(self, name: str, otherwise: str, /) -> str: ...

    def getlist(self, name: str, /) -> Sequence[str]: ...


@dataclass
class Option:
    """A selection as it is drawn; its value is its place, as identifiers may be anything."""

    value: str
    selection: Selection
    is_chosen: bool = False


@dataclass
class Item:
    """A question as it is drawn, with what was filled in and what is wrong with that."""

    question: Question
    number: int
    options: list[Option] = field(default_factory=list)
    text: str = ""
    is_other_chosen: bool = False
    error: str = ""

    @property
    def name(self) -> str:
        return f"q{self.number}"

    @property
    def other_name(self) -> str:
        return f"{self.name}-{OTHER}"

    @property
    def kind(self) -> str:
        """How it is drawn: text, textarea, radio, checkbox, select, listbox or combobox."""
        answer = self.question.answer
        if isinstance(answer, FreeText):
            return "text" if answer.lines == 1 else "textarea"
        one = answer.most == 1
        drawn = _LISTS.get(answer.style, "")
        # Lists of a browser hold nothing but text, and its combobox one answer.
        if (
            drawn
            and (one or drawn == "listbox")
            and all(each.content.kind == "text" for each in answer.selections)
        ):
            return drawn
        return "radio" if one else "checkbox"

    @property
    def is_required(self) -> bool:
        answer = self.question.answer
        least = answer.min_length if isinstance(answer, FreeText) else answer.least
        return self.question.is_required or least > 0

    @property
    def rows(self) -> int:
        """How many lines of a list are seen at once."""
        return min(10, len(self.options) + 1)

    @property
    def hint(self) -> str:
        """What the answer must be, in words."""
        answer = self.question.answer
        return _text_hint(answer) if isinstance(answer, FreeText) else _choice_hint(answer)

    def answer(self) -> FormAnswer:
        """What was filled in, as it is stored."""
        if isinstance(self.question.answer, FreeText):
            return FormAnswer(self.question.identifier, text=self.text)
        chosen = tuple(option.selection.identifier for option in self.options if option.is_chosen)
        return FormAnswer(self.question.identifier, chosen, other=self.text if self.is_other_chosen else None)


@dataclass
class Sheet:
    """A form with what was filled in."""

    form: QuestionForm
    # Pieces of an overview, or a question.
    parts: list[tuple[Piece, ...] | Item]

    @property
    def items(self) -> list[Item]:
        return [part for part in self.parts if isinstance(part, Item)]

    @property
    def is_complete(self) -> bool:
        return not any(item.error for item in self.items)

    def answers(self) -> list[FormAnswer]:
        return [item.answer() for item in self.items]


def blank_sheet(form: QuestionForm) -> Sheet:
    """The form with nothing but its default texts filled in."""
    parts: list[tuple[Piece, ...] | Item] = []
    for number, part in enumerate(form.parts, start=1):
        if not isinstance(part, Question):
            parts.append(part)
            continue
        item = Item(part, number)
        if isinstance(part.answer, Choice):
            item.options = [Option(str(place), each) for place, each in enumerate(part.answer.selections)]
            item.text = part.answer.other.default if part.answer.other else ""
        else:
            item.text = part.answer.default
        parts.append(item)
    return Sheet(form, parts)


def read_sheet(form: QuestionForm, sent: Sent) -> Sheet:
    """The form as it was sent, each question with what is wrong with its answer."""
    sheet = blank_sheet(form)
    for item in sheet.items:
        answer = item.question.answer
        if isinstance(answer, FreeText):
            # Browsers send line breaks as two characters, which no constraint means.
            item.text = sent.get(item.name, "").replace("\r\n", "\n")
            item.error = _text_error(answer, item.text, is_required=item.is_required)
        else:
            _fill_choice(item, answer, sent)
            item.error = item.error or _choice_error(item, answer)
    return sheet


def _fill_choice(item: Item, answer: Choice, sent: Sent) -> None:
    if item.kind == "combobox":
        _fill_combobox(item, answer, sent.get(item.name, "").strip())
        return
    values = set(sent.getlist(item.name))
    for option in item.options:
        option.is_chosen = option.value in values
    item.is_other_chosen = answer.other is not None and OTHER in values
    item.text = sent.get(item.other_name, "").replace("\r\n", "\n")


def _fill_combobox(item: Item, answer: Choice, typed: str) -> None:
    item.text = typed
    for option in item.options:
        option.is_chosen = typed != "" and option.selection.content.text.strip() == typed
    if typed and not any(option.is_chosen for option in item.options):
        item.is_other_chosen = answer.other is not None
        if answer.other is None:
            item.error = _("Choose one of the answers in the list.")


def _text_error(answer: FreeText, text: str, *, is_required: bool) -> str:
    if not text.strip():
        return _("Write an answer; this question needs one.") if is_required else ""
    if answer.is_numeric and not answer.fits_number(text):
        return _("“%(text)s” does not fit. %(hint)s") % {"text": text, "hint": _text_hint(answer)}
    length = len(text)
    if length < answer.min_length or (answer.max_length is not None and length > answer.max_length):
        told = {"length": length, "hint": _text_hint(answer)}
        return _("The answer has %(length)d characters. %(hint)s") % told
    return next((pattern.error_text for pattern in answer.patterns if not pattern.fits(text)), "")


def _text_hint(answer: FreeText) -> str:
    hints = []
    if answer.is_numeric:
        hints.append(_number_hint(answer.min_value, answer.max_value))
    if answer.min_length > 1 and answer.max_length is not None:
        told = {"least": answer.min_length, "most": answer.max_length}
        hints.append(_("From %(least)d to %(most)d characters.") % told)
    elif answer.min_length > 1:
        hints.append(_("At least %(least)d characters.") % {"least": answer.min_length})
    elif answer.max_length is not None:
        hints.append(_("At most %(most)d characters.") % {"most": answer.max_length})
    return " ".join(hints)


def _number_hint(least: int | None, most: int | None) -> str:
    if least is not None and most is not None:
        return _("A number from %(least)d to %(most)d.") % {"least": least, "most": most}
    if least is not None:
        return _("A number, at least %(least)d.") % {"least": least}
    if most is not None:
        return _("A number, at most %(most)d.") % {"most": most}
    return _("A number.")


def _choice_error(item: Item, answer: Choice) -> str:
    chosen = sum(option.is_chosen for option in item.options) + item.is_other_chosen
    if item.is_other_chosen and answer.other is not None:
        wrong = _text_error(answer.other, item.text, is_required=True)
        if wrong:
            return wrong
    if chosen == 0 and item.is_required:
        return _("Choose an answer; this question needs one.")
    if not answer.least <= chosen <= answer.most:
        return ngettext(
            "You have chosen %(n)d answer. %(hint)s", "You have chosen %(n)d answers. %(hint)s", chosen
        ) % {"n": chosen, "hint": _choice_hint(answer)}
    return ""


def _choice_hint(answer: Choice) -> str:
    if answer.most == 1:
        return ""
    told = {"least": answer.least, "most": answer.most}
    if answer.least == answer.most:
        return _("Choose exactly %(most)d.") % told
    if answer.least > 0:
        return _("Choose from %(least)d to %(most)d.") % told
    return _("Choose up to %(most)d.") % told

"""Writes the Question of a HIT, and refuses what MTurk would refuse or mangle."""

import re
from dataclasses import dataclass

from mturkhub.common.errors import ActionRefused

MAX_BYTES = 65_535
_SCHEMA = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"
# What XML 1.0 cannot hold at all, and what takes four bytes in UTF-8, which MTurk refuses.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]|[\U00010000-\U0010ffff]")


def html_question(html: str, frame_height: int) -> str:
    """The HTMLQuestion for a page; `frame_height` in pixels, 0 lets the frame grow with its content."""
    # A CDATA section ends at the first "]]>", so one inside is split over two sections.
    content = html.replace("]]>", "]]]]><![CDATA[>")
    return (
        f'<HTMLQuestion xmlns="{_SCHEMA}"><HTMLContent><![CDATA[{content}]]></HTMLContent>'
        f"<FrameHeight>{frame_height}</FrameHeight></HTMLQuestion>"
    )


def question_bytes(question: str) -> int:
    """The size that counts against MTurk's 65,535 bytes: all of it, in UTF-8."""
    return len(question.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True)
class ForbiddenCharacter:
    """A character a Question cannot hold, and where it stands, counted from 1."""

    character: str
    line: int
    column: int

    @property
    def sentence(self) -> str:
        code = f"U+{ord(self.character):04X}"
        where = f"line {self.line}, column {self.column}"
        if self.character > "\uffff":
            return (
                f"The character {self.character} ({code}) at {where} takes four bytes, and MTurk refuses "
                f"such characters. Leave it out, or write it as &#x{ord(self.character):X}; instead."
            )
        return f"The control character {code} at {where} cannot be sent to MTurk. Leave it out."


def find_forbidden_character(text: str) -> ForbiddenCharacter | None:
    """The first character of an HTML page or of a value that no Question can hold."""
    found = _FORBIDDEN.search(text)
    if found is None:
        return None
    before = text[: found.start()]
    return ForbiddenCharacter(
        character=found[0],
        line=before.count("\n") + 1,
        column=found.start() - (before.rfind("\n") + 1) + 1,
    )


def check_question(html: str, frame_height: int, *, where: str = "The question") -> str:
    """The HTMLQuestion, ready to send; the sentence of an ActionRefused opens with `where`."""
    if found := find_forbidden_character(html):
        raise ActionRefused(f"{where}: {found.sentence}", status=400)
    question = html_question(html, frame_height)
    size = question_bytes(question)
    if (surplus := size - MAX_BYTES) > 0:
        raise ActionRefused(
            f"{where} would be {size:,} bytes; {MAX_BYTES:,} is the most. "
            f"Shorten it by {surplus:,} byte{'' if surplus == 1 else 's'}.",
            status=400,
        )
    return question

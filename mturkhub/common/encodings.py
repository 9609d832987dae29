"""Text that is not UTF-8: which encodings a file could be in, and the file read under the one a person chose.

Nothing is guessed: one and the same byte is a letter in each of them, and only a reader sees which one makes sense.
"""

import codecs
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from mturkhub.common.errors import ActionRefused

UTF_8 = "utf-8"
# Python's name → what people call it, in the order in which they are offered.
ENCODINGS = {
    UTF_8: "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16, little-endian",
    "utf-16-be": "UTF-16, big-endian",
    "cp1252": "Windows-1252 (Western Europe)",
    "latin-1": "Latin-1, ISO 8859-1",
    "mac_roman": "Mac Roman",
    "cp1250": "Windows-1250 (Central Europe)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp932": "Shift-JIS (Japanese)",
    "gb18030": "GB18030 (Chinese)",
    "cp950": "Big5 (Chinese)",
    "cp949": "EUC-KR (Korean)",
}
SAMPLES = 3
SAMPLE_CHARACTERS = 120
_BLOCK = 64 * 1024
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def not_text(what: str = "") -> str:
    """The refusal of a file that is text in no encoding at all; `what` it is, where that is known."""
    named = f"{what}, and not a text file" if what else "not a text file"
    return (
        f"This is {named}: no rows can be read from it. Choose the CSV, TSV or JSON Lines file itself; in a "
        "spreadsheet, save the sheet as “CSV UTF-8”, then upload that."
    )


class NotUTF8(ActionRefused):
    """The bytes are no UTF-8 text, but could be text in another encoding."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, status=400)


# The offer ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Offer:
    """An encoding in which the whole file can be read, with lines of it as they would then read."""

    encoding: str
    name: str
    samples: list[str]


def offered_encodings(stream: BinaryIO) -> list[Offer]:
    """The encodings that decode the whole file without a fault; it is read once, a block at a time.

    None is offered for what is no text at all: what holds NUL bytes could be UTF-16 alone, where no NUL is left.
    The samples are its first lines with a character that ASCII lacks: in the others all encodings agree.
    """
    block = stream.read(_BLOCK)
    candidates = [_Candidate(name) for name in _possible(block)]
    while block and candidates:
        candidates = [each for each in candidates if each.takes(block)]
        block = stream.read(_BLOCK)
    candidates = [each for each in candidates if each.takes(b"", is_last=True)]
    names = [each.encoding for each in candidates]
    if "cp1252" in names and "latin-1" in names:
        # They differ in 32 characters, which in Latin-1 are control codes that no text holds.
        candidates = [each for each in candidates if each.encoding != "latin-1"]
    return [Offer(each.encoding, ENCODINGS[each.encoding], each.samples) for each in candidates]


def _possible(head: bytes) -> list[str]:
    if head.startswith(_UTF_16_MARKS):
        return ["utf-16"]
    if b"\x00" in head:
        return ["utf-16-le", "utf-16-be"]
    return [name for name in ENCODINGS if not name.startswith("utf")]


class _Candidate:
    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._rest = ""
        self._plain: list[str] = []
        self._telling: list[str] = []

    def takes(self, block: bytes, *, is_last: bool = False) -> bool:
        """Whether the file can still be read so, with this block."""
        try:
            text = self._decoder.decode(block, is_last)
        except UnicodeDecodeError:
            return False
        if "\x00" in text and self.encoding.startswith("utf"):
            return False
        if len(self._telling) < SAMPLES:
            *lines, self._rest = (self._rest + text).split("\n")
            if is_last or len(self._rest) > _BLOCK:
                lines, self._rest = [*lines, self._rest], ""
            for line in lines:
                kept = self._plain if line.isascii() else self._telling
                if line.strip() and len(kept) < SAMPLES:
                    kept.append(_around_the_first_telling_character(line.strip()))
        return True

    @property
    def samples(self) -> list[str]:
        return (self._telling + self._plain)[:SAMPLES]


def _around_the_first_telling_character(line: str) -> str:
    first = next((at for at, character in enumerate(line) if not character.isascii()), 0)
    begin = max(0, first - SAMPLE_CHARACTERS // 2) if len(line) > SAMPLE_CHARACTERS else 0
    return line[begin : begin + SAMPLE_CHARACTERS].replace("\x00", "␀")


# Reading ------------------------------------------------------------------------------------------


def as_utf8(stream: BinaryIO, encoding: str) -> BinaryIO:
    """The stream itself where it is UTF-8 already, else one that gives its text as UTF-8."""
    return stream if encoding == UTF_8 else io.BufferedReader(_AsUTF8(stream, encoding), _BLOCK)


class _AsUTF8(io.RawIOBase):
    """Raises NotUTF8 where the bytes are no text in the encoding that was chosen."""

    def __init__(self, source: BinaryIO, encoding: str) -> None:
        self._source = source
        self._encoding = encoding
        self._decode: Callable[[bytes, bool], str] = codecs.getincrementaldecoder(encoding)().decode
        self._held = memoryview(b"")
        self._lines = 0
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]
        while not self._held and not self._is_over:
            block = self._source.read(_BLOCK)
            self._is_over = not block
            try:
                text = self._decode(block, self._is_over)
            except UnicodeDecodeError as error:
                line = self._lines + 1 + error.object[: error.start].count(b"\n")
                raise NotUTF8(
                    f"Line {line} is no text in {ENCODINGS[self._encoding]}. Choose another encoding, "
                    "or save the file as UTF-8, then upload it again."
                ) from error
            self._lines += text.count("\n")
            self._held = memoryview(text.encode())
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

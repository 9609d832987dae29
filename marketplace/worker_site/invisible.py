"""Text from outside as a person can trust it: characters that hide, reorder or fake their surroundings are named."""

import re
import unicodedata

# Controls, bidirectional marks and overrides, zero-width and filling characters, tags. Not among them: tab and line ends,
# and the joiners and selectors that scripts and emoji need between characters that are not ASCII.
_HIDDEN = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff"
)
_JOINERS = "\u200c\u200d"
# A run at a time, so that ten thousand of them are told in one word.
INVISIBLE = re.compile(
    f"(?:[{_HIDDEN}]|(?<![^\x00-\x7f{_JOINERS}])[{_JOINERS}]+|[{_JOINERS}]+(?![^\x00-\x7f{_JOINERS}]))+"
)


def named(found: str) -> tuple[str, str]:
    """`U+202E`, `U+200B ×12` or `U+200B… ×40`, and what Unicode calls the first of them."""
    code = f"U+{ord(found[0]):04X}{'…' if found.strip(found[0]) else ''}"
    code += f" ×{len(found):,}" if len(found) > 1 else ""
    return code, unicodedata.name(found[0], "a control character").capitalize()


def visible(text: str) -> str:
    """The text with a name in brackets for each run of them: for titles, and wherever no markup can stand."""
    return INVISIBLE.sub(lambda found: f"[{named(found[0])[0]}]", text)

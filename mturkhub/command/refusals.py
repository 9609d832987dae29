"""Why something cannot start, said in a sentence with its remedy."""

import errno
import re
from collections.abc import Sequence


class CannotStart(Exception):
    """A sentence for the person at the terminal: what is wrong and what to do."""


def explain(error: OSError) -> CannotStart:
    """The sentence for an error of the operating system."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CannotStart(
            f"The disk is full{where}. Free some space and start again; nothing that was saved is lost."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return CannotStart(
            f"{error.filename} cannot be written. "
            "Change its owner, or set MTURKHUB_HOME to a folder of yours."
        )
    return CannotStart(f"{error.strerror or error}{where}.")


def without_secrets(text: str, secrets: Sequence[str]) -> str:
    """The text with every given secret, and every password in an address, blotted out."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "•••")
    return re.sub(r"(\w+://[^\s:/@]*:)[^\s@/]+@", r"\1•••@", text)

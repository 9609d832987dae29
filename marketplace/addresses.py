"""Web addresses that requesters name: which of them a page may load from, and the origin its policy then allows."""

import re
from urllib.parse import urlsplit

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?\Z")
_SPACE = re.compile(r"[\s\x00-\x1f]")


def web_origin(address: str) -> str | None:
    """The origin of a full http or https address; None for any other, and for one that no policy could name."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or _SPACE.search(address) or not _HOST.match(parts.netloc):
        return None
    return f"{parts.scheme}://{parts.netloc.lower()}"

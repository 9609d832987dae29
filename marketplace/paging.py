"""NextTokens: where the next page begins, signed so that only the list it came from takes it back.

As on MTurk every page with rows has a token, even the last one; the end is a page with neither.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

from django.conf import settings

from marketplace.call import Call, Members
from marketplace.errors import invalid_value

DEFAULT_MAX_RESULTS = 10
_VERSION = "p1:"
_MAC_BYTES = 16


def read_token(call: Call, members: Members) -> Any:
    """The position in the NextToken, or None on the first page; raises for a token from anywhere else."""
    token = members.get("NextToken")
    if token is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(token.removeprefix(_VERSION))
        mac, position = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    except ValueError:
        raise invalid_value("NextToken", token) from None
    if not token.startswith(_VERSION) or not hmac.compare_digest(mac, _mac(call, members, position)):
        raise invalid_value("NextToken", token)
    return json.loads(position)


def next_token(call: Call, members: Members, position: Any) -> str:
    """The token of the page after `position`, for this requester, operation and filter."""
    raw = json.dumps(position, separators=(",", ":")).encode()
    return _VERSION + base64.urlsafe_b64encode(_mac(call, members, raw) + raw).decode()


def _mac(call: Call, members: Members, position: bytes) -> bytes:
    # The size of a page may change between pages, what is listed may not.
    filters = {name: value for name, value in members.items() if name not in {"NextToken", "MaxResults"}}
    list_of = json.dumps([call.requester_id, call.operation, filters], sort_keys=True)
    key = hashlib.sha256(b"marketplace page tokens\0" + settings.SECRET_KEY.encode()).digest()
    return hmac.new(key, list_of.encode() + b"\0" + position, hashlib.sha256).digest()[:_MAC_BYTES]

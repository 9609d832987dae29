"""Identifiers that look like MTurk's and cannot be guessed."""

import hashlib
import secrets
import string

_LETTERS = string.ascii_uppercase + string.digits


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def new_entity_id() -> str:
    """An id for a HIT, HITType, HITGroup or Assignment: 30 characters, the first a 3."""
    return "3" + _random(29)


def new_customer_id() -> str:
    """An id for a Worker or requester: A and 13 more."""
    return "A" + _random(13)


def pretend_worker_id(name: str) -> str:
    """The id that always belongs to the pretend Worker of this name."""
    number = int.from_bytes(hashlib.sha256(f"pretend Worker {name}".encode()).digest(), "big")
    return "A" + "".join(_LETTERS[number // len(_LETTERS) ** place % len(_LETTERS)] for place in range(13))


def new_test_worker_id() -> str:
    """An id that everybody can see belongs to a test Worker."""
    return "ATEST" + _random(9)


def new_access_key_id() -> str:
    """The public half of an access key, as long as AWS's."""
    return "AKIA" + _random(16)

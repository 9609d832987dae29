"""Public ids: UUIDv7, so that they sort by time and say nothing about how many rows there are."""

import uuid

from uuid_utils.compat import uuid7


def new_public_id() -> uuid.UUID:
    """A fresh UUIDv7."""
    return uuid7()

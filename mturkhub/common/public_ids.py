"""Public ids: UUIDv7, so that they sort by time and say nothing about how many rows there are."""

import uuid

from uuid_utils.compat import uuid7

# The same made by Postgres, for rows written by INSERT … SELECT: a random UUID of version 4, whose variant bits
# it shares, with the time in front and the version changed. Postgres has uuidv7() of its own only from 18 on.
UUID7_SQL = """
    overlay(overlay(replace(gen_random_uuid()::text, '-', '')
        placing lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') from 1 for 12)
        placing '7' from 13 for 1)::uuid
"""


def new_public_id() -> uuid.UUID:
    """A fresh UUIDv7."""
    return uuid7()

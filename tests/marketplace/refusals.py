"""Runs a call that must be refused, and hands out how."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError


@dataclass
class Refusal:
    """What the server said: `__type`, TurkErrorCode without its prefix, and the message without its time."""

    kind: str = ""
    code: str = ""
    message: str = ""


@contextmanager
def refused() -> Iterator[Refusal]:
    refusal = Refusal()
    with pytest.raises(ClientError) as caught:
        yield refusal
    error = caught.value.response["Error"]
    refusal.kind = error["Code"]
    refusal.code = str(caught.value.response.get("TurkErrorCode", "")).removeprefix("AWS.MechanicalTurk.")
    refusal.message = re.sub(r" \(\d{13}\)$", "", error["Message"])
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400

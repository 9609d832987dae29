"""What can go wrong when MTurk is called, and the two questions that decide what happens next."""

import re
from dataclasses import dataclass
from enum import StrEnum

THROTTLING = frozenset(
    {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"}
)


class Missing(StrEnum):
    """What a requester has not done yet, where a refusal of the whole account says so."""

    KEYS = "keys"
    POLICY = "policy"
    LINK = "link"
    CLOCK = "clock"
    IDENTITY = "identity"


# Refusals of one call for what it says.
_ABOUT_THIS_CALL = {
    "ParamValidation",
    "ParameterValidationError",
    "ValidationException",
    "SerializationException",
}


@dataclass(eq=False)
class MTurkError(Exception):
    """A call that brought no usable answer.

    `may_have_happened` alone decides between trying again and looking first; `retry_can_help` says whether
    trying again is of any use. `sentence` is fit for a person; `details` holds MTurk's own words and the
    request id.
    """

    operation: str
    # The `__type` of MTurk's answer, or the kind of failure: "ReadTimeout", "ConnectionFailed", …
    kind: str
    # TurkErrorCode without "AWS.MechanicalTurk.", or empty.
    code: str
    sentence: str
    details: str
    may_have_happened: bool
    retry_can_help: bool
    # A value of Missing, or empty.
    missing: str = ""

    def __post_init__(self) -> None:
        # All of them, so that it survives the pickling between processes.
        super().__init__(
            self.operation,
            self.kind,
            self.code,
            self.sentence,
            self.details,
            self.may_have_happened,
            self.retry_can_help,
            self.missing,
        )

    def __str__(self) -> str:
        return self.sentence

    @property
    def is_throttling(self) -> bool:
        return self.kind in THROTTLING

    @property
    def is_insufficient_funds(self) -> bool:
        return self.code == "InsufficientFunds"

    @property
    def is_about_account(self) -> bool:
        """Whether keys, rights or registration are refused, so that every other call would be."""
        is_refusal = not (self.may_have_happened or self.retry_can_help)
        return is_refusal and not self.code and self.kind not in _ABOUT_THIS_CALL

    @property
    def is_gone(self) -> bool:
        """Whether MTurk says that the HIT or Assignment asked for does not exist."""
        return self.code in {"HITDoesNotExist", "AssignmentDoesNotExist"}

    @property
    def is_repeat(self) -> bool:
        """Whether MTurk has worked on this request before. Its text alone is known, not its code."""
        return self.kind == "RequestError" and "has already been processed" in self.details


def existing_hit_id(error: MTurkError) -> str:
    """The id of the HIT that a HitAlreadyExists names in its text, its only place; empty when it has none."""
    found = re.search(r'HIT with ID "([A-Z0-9]+)"', error.details)
    return found[1] if found else ""

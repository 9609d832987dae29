"""What can go wrong when MTurk is called, and the two questions that decide what happens next."""

from dataclasses import dataclass


@dataclass
class MTurkError(Exception):
    """A call that brought no usable answer.

    `may_have_happened` alone decides between trying again and looking first; `retry_can_help` says whether trying
    again is of any use. `sentence` is fit for a person; `details` holds MTurk's own words and the request id.
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

    def __post_init__(self) -> None:
        super().__init__(self.sentence)

    def __str__(self) -> str:
        return self.sentence

    @property
    def is_throttling(self) -> bool:
        return self.kind == "ThrottlingException"

    @property
    def is_insufficient_funds(self) -> bool:
        return self.code == "InsufficientFunds"

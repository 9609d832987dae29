from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Members = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One call on its way: what was asked, by which requester, when, and the id it is answered under."""

    operation: str
    requester_id: int
    now: datetime
    request_id: str


# Without a return value the answer is `{}`.
Operation = Callable[[Call, Members], Members | None]

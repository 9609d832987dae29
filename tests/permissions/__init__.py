"""Who may do what, page by page, written down by hand.

One module per group of pages, each with a dictionary `ROWS`: URL name → Row. A page that stands in none of them
fails `tests/test_permission_matrix.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# In this order the statuses of a Row are written. Nobody has not signed in.
ROLES = ("olive", "mina", "ravi", "vera", "stan", "nobody")

# Nobody is sent to the sign-in page; the wrong method is refused to whoever is signed in.
NOT_THAT_METHOD = "405 405 405 405 405 302"
NOT_THAT_METHOD_AT_ALL = "405 405 405 405 405 405"
EVERYBODY = "200 200 200 200 200 200"
SIGNED_IN = "200 200 200 200 200 302"
# What belongs to the team does not exist for a stranger.
TEAM = "200 200 200 200 404 302"


@dataclass(frozen=True)
class Row:
    """The statuses of one page. 400 after a POST is a form that came back, so the right was there."""

    get: str = NOT_THAT_METHOD
    post: str = NOT_THAT_METHOD
    # From the test's World to the arguments of the address.
    arguments: Callable[[Any], dict[str, Any]] = lambda world: {}
    # What is posted, or how it follows from the test's World.
    data: dict[str, Any] | Callable[[Any], dict[str, Any]] = field(default_factory=dict)

    def posted(self, world: Any) -> dict[str, Any]:
        return self.data(world) if callable(self.data) else self.data

    def statuses(self, method: str) -> dict[str, int]:
        written = [int(status) for status in getattr(self, method).split()]
        return dict(zip(ROLES, written, strict=True))

"""What every page's frame shows: where one can go, what waits, and what is free to spend."""

from typing import Any

from django.http import HttpRequest

from mturkhub.accounts.models import Connection
from projects.models import Assignment


def frame(request: HttpRequest) -> dict[str, Any]:
    """Balances and counts for the left column; nothing for somebody who is not signed in."""
    actor = getattr(request, "actor", None)
    if actor is None or not actor.team_ids or getattr(request, "htmx", False):
        return {}
    return {
        "frame_connections": Connection.objects.for_actor(actor)
        .with_balance_seen(actor)
        .order_by("environment", "name"),
        "frame_to_review": _count_to_review(actor),
    }


def _count_to_review(actor: Any) -> int:
    """Answers that wait for a person, at most 1,000; sandbox work is not counted."""
    waiting = (
        Assignment.objects.for_actor(actor)
        .awaiting_review()
        .filter(batch__imported_at=None)
        .exclude(connection__environment="sandbox")
        .values("pk")[:1000]
    )
    return len(waiting)

"""What every page of the worker site shows around its content."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from marketplace.models import Bonus, Worker
from marketplace.models.assignment import AssignmentState


def frame(request: HttpRequest) -> dict[str, Any]:
    """What the Worker is owed, holds and has not read; asked for only by pages that show it."""
    # A request refused early, for the host it names, has nobody behind it.
    worker = getattr(request, "user", None)
    if not isinstance(worker, Worker):
        return {}
    return {"worker": worker, "standing": SimpleLazyObject(_standing(worker))}


def _standing(worker: Worker) -> Callable[[], dict[str, Any]]:
    def ask() -> dict[str, Any]:
        told = worker.assignments.aggregate(
            owed=Sum("hit__hit_type__reward", filter=Q(state=AssignmentState.APPROVED)),
            held=Count("pk", filter=Q(state=AssignmentState.ACCEPTED)),
        )
        bonuses = Bonus.objects.filter(assignment__worker=worker).aggregate(sum=Sum("amount"))["sum"]
        return {
            "owed": (told["owed"] or Decimal(0)) + (bonuses or Decimal(0)),
            "held": told["held"],
            "unread": worker.messages.filter(read_at=None).count(),
        }

    return ask

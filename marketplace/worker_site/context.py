"""What every page of the worker site shows around its content."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from marketplace.models import Worker
from marketplace.models.assignment import AssignmentState


def frame(request: HttpRequest) -> dict[str, Any]:
    """What the Worker is owed and how many HITs they hold; asked for only by pages that show it."""
    # A request refused for its host has got no further than that.
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
        return {"owed": told["owed"] or Decimal(0), "held": told["held"]}

    return ask

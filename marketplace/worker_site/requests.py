"""Who asks: the Worker behind a request."""

from django.http import HttpRequest

from marketplace.models import Worker


class WorkerRequest(HttpRequest):
    """A request behind `login_required`."""

    user: Worker


def worker_of(request: HttpRequest) -> Worker | None:
    """The Worker who is signed in, or nobody."""
    return request.user if isinstance(request.user, Worker) else None

"""What requesters wrote to a Worker."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from marketplace import clock
from marketplace.models import Message
from marketplace.worker_site.requests import WorkerRequest

MESSAGES_A_PAGE = 25


@require_GET
@login_required
def messages(request: WorkerRequest) -> HttpResponse:
    """The newest first; what is shown counts as read afterwards, and is marked as new this once."""
    received = request.user.messages.select_related("requester").order_by("-pk")
    page = Paginator(received, MESSAGES_A_PAGE).get_page(request.GET.get("page"))
    response = render(request, "messages.html", {"page": page, "nav": "messages"})
    shown = [message.pk for message in page]
    Message.objects.filter(pk__in=shown, read_at=None).update(read_at=clock.now())
    return response

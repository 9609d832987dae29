"""What was made elsewhere on an account: the list for its owners, and adopting from it."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.models import Connection
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.common.errors import ActionRefused
from mturkhub.common.models import Installation
from projects.actions import elsewhere as actions
from projects.adopting import plan_adoption
from projects.elsewhere import makers_on, newest_look
from projects.filters import FOREIGN_SHOWN, ForeignFilter, public_id_or_none
from projects.forms.elsewhere import IntoProjectForm
from projects.models.foreign_hit import ForeignHITQuerySet


def _owned(request: TeamRequest, public_id: uuid.UUID) -> Connection:
    """A Connection of the team's own account; to whom it is lent it is not theirs to look into."""
    found = Connection.objects.for_actor(request.actor).select_related("account__team")
    connection = get_object_or_404(found, public_id=public_id)
    check_can(request.actor, Permission.HIT_ADOPT, connection.account.team_id)
    return connection


@require_safe
def made_elsewhere(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    connection = _owned(request, public_id)
    chosen = ForeignFilter.read(request.GET)
    page = chosen.page(connection, request.GET.get("at", ""))
    makers = makers_on(connection)
    own = [each for each in makers if not each["is_other"]]
    context = {
        "nav": "connections",
        "connection": connection,
        "filter": chosen,
        "page": page,
        "shown": FOREIGN_SHOWN.items(),
        "hits": sum(each["hits"] for each in own),
        "waiting": sum(each["waiting"] for each in own),
        "after_backup": sum(each["hits"] for each in own if each["installation"]),
        "others": [each for each in makers if each["is_other"]],
        "ours": Installation.current_id(),
        "newest": newest_look(connection),
        "is_looking": connection.is_being_swept,
        "here": chosen.query(),
        "newer": chosen.query(at=page.newer) if page.newer else "",
        "older": chosen.query(at=page.older) if page.older else "",
    }
    return render(request, "projects/made_elsewhere.html", context)


@require_safe
def elsewhere_count(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """What the page of the Connection says of it; nothing where there is nothing to say."""
    connection = _owned(request, public_id)
    makers = makers_on(connection)
    context = {
        "connection": connection,
        "hits": sum(each["hits"] for each in makers),
        "waiting": sum(each["waiting"] for each in makers),
    }
    return render(request, "projects/_elsewhere_count.html", context)


@require_POST
def look_elsewhere(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    connection = _owned(request, public_id)
    actions.look_elsewhere(connection, by=request.actor)
    messages.info(request, "Looking at MTurk; what is found appears here.")
    return redirect("projects:made_elsewhere", connection.public_id)


@require_http_methods(["GET", "POST"])
def adopt(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """GET says what adopting the chosen HITs brings; POST adopts exactly these."""
    connection = _owned(request, public_id)
    given = request.POST if request.method == "POST" else request.GET
    filtered = ForeignFilter.read(given)
    picked = [key for text in given.getlist("hit") if (key := public_id_or_none(text))]
    chosen = _chosen(connection, filtered, picked, only_ticked="ticked" in given)
    last = given.get("last", "")
    if last.isdecimal() and len(last) < 19:
        chosen = chosen.filter(pk__lte=int(last))
    form = IntoProjectForm(request.POST if request.method == "POST" else None, team=connection.account.team)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                job = actions.adopt_hits(
                    connection,
                    chosen,
                    by=request.actor,
                    project=form.cleaned_data["project"],
                    confirmed=[filtered.maker] if filtered.maker else [],
                )
                return redirect("projects:job", job.public_id)
            except ActionRefused as refused:
                form.add_error(None, refused.sentence)
                status = refused.status
    context = {
        "nav": "connections",
        "connection": connection,
        "form": form,
        "plan": plan_adoption(connection, chosen),
        "filter": filtered,
        "picked": picked,
        "here": filtered.query(),
    }
    return render(request, "projects/adopt.html", context, status=status)


def _chosen(
    connection: Connection, filtered: ForeignFilter, picked: list[uuid.UUID], *, only_ticked: bool
) -> ForeignHITQuerySet:
    """The ticked ones, be it none, or all that match."""
    if picked or only_ticked:
        ticked = ForeignFilter(maker=filtered.maker).apply(connection)
        return ticked.listed().filter(public_id__in=picked)
    return filtered.apply(connection).listed()


@require_http_methods(["GET", "POST"])
def import_history(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """Everything that no other installation has made, with all answers."""
    connection = _owned(request, public_id)
    form = IntoProjectForm(request.POST if request.method == "POST" else None, team=connection.account.team)
    if request.method == "POST" and form.is_valid():
        job = actions.import_history(connection, by=request.actor, project=form.cleaned_data["project"])
        return redirect("projects:job", job.public_id)
    context = {
        "nav": "connections",
        "connection": connection,
        "form": form,
    }
    return render(request, "projects/import_history.html", context, status=400 if form.errors else 200)

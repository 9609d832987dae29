"""Projects: the list, one project, its settings."""

import hashlib
import uuid

from django.contrib import messages
from django.db.models import Count, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.permissions import Permission, can, check_can, refusal
from mturkhub.common.errors import ActionRefused
from projects.actions.projects import create_project as create
from projects.actions.projects import update_project
from projects.costs import hourly_wage
from projects.forms import ProjectForm
from projects.models import Project
from projects.placeholders import find_placeholders


@require_safe
def projects(request: TeamRequest) -> HttpResponse:
    found = (
        Project.objects.for_actor(request.actor)
        .filter(archived_at__isnull=True)
        .annotate(batch_count=Count("batches"), waiting=Sum("batches__answers_submitted", default=0))
        .order_by("-pk")
    )
    return render(request, "projects/list.html", {"nav": "projects", "projects": found, **_rights(request)})


def _rights(request: TeamRequest) -> dict[str, object]:
    team = request.team
    if team is None:
        return {}
    return {
        "may_edit": can(request.actor, Permission.PROJECT_EDIT, team),
        "why_not_edit": refusal(request.actor, Permission.PROJECT_EDIT, team),
        "may_upload": can(request.actor, Permission.BATCH_CREATE, team),
        "why_not_upload": refusal(request.actor, Permission.BATCH_CREATE, team),
    }


@require_http_methods(["GET", "POST"])
def create_project(request: TeamRequest) -> HttpResponse:
    team = request.team
    if team is None:
        raise ActionRefused("You belong to no team yet. Ask an owner of one to add you.", status=403)
    check_can(request.actor, Permission.PROJECT_EDIT, team)
    form = ProjectForm(request.POST or None, instance=Project(team=team))
    if request.method == "POST" and form.is_valid():
        project = create(team, by=request.actor, **form.cleaned_data)
        messages.success(request, f"“{project}” is made. Now write the question.")
        return redirect("projects:edit_template", project.public_id)
    return _form_page(request, form, None)


@require_safe
def project(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(Project.objects.for_actor(request.actor), public_id=public_id)
    template = found.templates.select_related("created_by").first()
    return render(
        request,
        "projects/detail.html",
        {
            "nav": "projects",
            "project": found,
            "template": template,
            "placeholders": find_placeholders(template.html) if template else [],
            "versions": found.templates.annotate(batch_count=Count("batches")).select_related("created_by")[
                :20
            ],
            "batches": found.batches.select_related("connection", "created_by").order_by("-pk")[:50],
            # Files on their way to becoming a batch, so that whoever left finds back.
            "uploads": found.uploads.filter(batches__isnull=True)
            .select_related("file", "created_by")
            .order_by("-pk")[:5],
            "wage": hourly_wage(found.reward, found.estimated_duration),
            **_rights(request),
        },
    )


@require_http_methods(["GET", "POST"])
def edit_project(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(Project.objects.for_actor(request.actor), public_id=public_id)
    check_can(request.actor, Permission.PROJECT_EDIT, found.team_id)
    seen = _state_of(found)
    form = ProjectForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid() and request.POST.get("seen", seen) != seen:
        form.add_error(
            None,
            "Somebody has changed these settings since this page was opened. Nothing was saved and what you typed is "
            "kept: look at it once more, then save.",
        )
    if request.method == "POST" and form.is_valid():
        update_project(found, by=request.actor, **form.cleaned_data)
        messages.success(request, "Saved. Batches that are published keep their settings.")
        return redirect("projects:project", found.public_id)
    return _form_page(request, form, get_object_or_404(Project, pk=found.pk), seen)


def _state_of(project: Project) -> str:
    """The same as long as nobody changes a setting."""
    values = [str(getattr(project, name)) for name in ProjectForm.Meta.fields]
    return hashlib.sha256("\0".join(values).encode()).hexdigest()


def _form_page(
    request: TeamRequest, form: ProjectForm, found: Project | None, seen: str = ""
) -> HttpResponse:
    context = {"nav": "projects", "form": form, "project": found, "seen": seen}
    return render(request, "projects/form.html", context, status=400 if form.errors else 200)

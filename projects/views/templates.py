"""The template editor and the preview frame."""

import uuid
from typing import Any

from csp.decorators import csp_exempt
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.permissions import Permission, can, check_can, refusal
from mturkhub.common.stored_files import open_file
from mturkhub.gateway.question_xml import (
    MAX_BYTES,
    find_forbidden_character,
    html_question,
    question_bytes,
)
from projects.actions.projects import next_version, save_template
from projects.batch_reading import first_rows
from projects.forms import TemplateForm
from projects.models import Project
from projects.placeholders import WHOLE_ROW, as_text, fill, find_placeholders, whole_row
from projects.previews import Preview, preview_response, preview_url, read_preview

STARTER = """<!-- What a Worker sees. The placeholder below is filled from the column of that name in your file. -->
<p>How positive is this text, from 1 (sad) to 10 (happy)?</p>
<blockquote>${text}</blockquote>
<form>
  <input type="number" name="sentiment" min="1" max="10" required>
  <button>Submit</button>
</form>
"""


@require_http_methods(["GET", "POST"])
def edit_template(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    project = get_object_or_404(Project.objects.for_actor(request.actor), public_id=public_id)
    latest = project.templates.first()
    form = TemplateForm(request.POST or None, initial={"html": latest.html if latest else STARTER})
    if request.method == "POST":
        check_can(request.actor, Permission.PROJECT_EDIT, project.team_id)
        if form.is_valid():
            saved = save_template(project, form.cleaned_data["html"], by=request.actor)
            if saved == latest:
                messages.info(request, f"Nothing has changed, so it is still version {saved.version}.")
            else:
                messages.success(request, f"Saved as version {saved.version}. Started batches keep theirs.")
            return redirect("projects:edit_template", project.public_id)
    html = str(form["html"].value() or "")
    context = {
        "nav": "projects",
        "project": project,
        "form": form,
        "latest": latest,
        "next_version": next_version(project),
        "users": project.batches.exclude(template=latest).select_related("template").order_by("-pk")[:3],
        "may_edit": can(request.actor, Permission.PROJECT_EDIT, project.team_id),
        "why_not_edit": refusal(request.actor, Permission.PROJECT_EDIT, project.team_id),
        **_checked(request, project, html, is_accepted=True),
    }
    return render(request, "projects/edit_template.html", context, status=400 if form.errors else 200)


@require_POST
def check_template(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """What stops and what warns, and a fresh preview, for HTML that is not saved yet."""
    project = get_object_or_404(Project.objects.for_actor(request.actor), public_id=public_id)
    html = request.POST.get("html", "")[:200_000].replace("\r\n", "\n")
    is_accepted = request.POST.get("accepted", "1") == "1"
    context = {"project": project, **_checked(request, project, html, is_accepted=is_accepted)}
    return render(request, "projects/_template_check.html", context)


def _checked(request: TeamRequest, project: Project, html: str, *, is_accepted: bool) -> dict[str, Any]:
    values = _sample(project)
    found = find_placeholders(html)
    values = values or {each.name: each.name for each in found if each.name != WHOLE_ROW}
    stops, warns = _problems(html, values)
    return {
        "placeholders": [(each, _sample_value(each.name, values)) for each in found],
        "stops": stops,
        "warns": warns,
        "size": question_bytes(html_question(fill(html, values), project.frame_height)),
        "max_size": MAX_BYTES,
        "is_accepted": is_accepted,
        "preview": preview_url(
            project.team_id, request.user.pk, Preview(html.replace("\x00", ""), values, is_accepted)
        ),
    }


def _sample_value(name: str, values: dict[str, Any]) -> str | None:
    if name in values:
        return as_text(values[name])
    return whole_row(values) if name == WHOLE_ROW else None


def _sample(project: Project) -> dict[str, Any]:
    """The first row of the project's last upload that could be read."""
    upload = project.uploads.select_related("file").order_by("-pk").first()
    if upload is None:
        return {}
    with open_file(upload.file) as stream:
        rows = first_rows(stream, upload.file.name, 1, upload.encoding)
    return rows[0].values if rows else {}


def _problems(html: str, values: dict[str, Any]) -> tuple[list[str], list[str]]:
    stops, warns = [], []
    if found := find_forbidden_character(html):
        stops.append(found.sentence)
    if (size := question_bytes(html_question(html, 0))) > MAX_BYTES:
        stops.append(f"The template alone makes {size:,} bytes; {MAX_BYTES:,} is the most. Shorten it.")
    lower = html.lower()
    if not any(tag in lower for tag in ("<input", "<select", "<textarea", "<crowd-", "<button name")):
        warns.append("There is no field with a name, so a Worker could not answer anything. Add an input.")
    elif "name=" not in lower:
        warns.append('No field has a name; MTurk drops answers without one. Write name="…" on each input.')
    for each in find_placeholders(html):
        if values and each.name not in values and each.name != WHOLE_ROW:
            where = f"line {each.line}, column {each.column}"
            warns.append(f"${{{each.name}}} in {where} was no column of your last file.")
    return stops, warns


@require_safe
@csp_exempt()  # type: ignore[arg-type]  # its type knows no arguments
@xframe_options_exempt
def preview(request: TeamRequest, token: str) -> HttpResponse:
    """Somebody's HTML alone, with a policy of its own. Never linked from a page, only framed."""
    page = read_preview(token, request.actor)
    if page is None:
        raise Http404("This preview is older than ten minutes, or it was made for somebody else.")
    return preview_response(page)

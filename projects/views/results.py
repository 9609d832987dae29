"""Importing a results file of the requester site: upload, check, import."""

import uuid
from collections.abc import Iterator
from datetime import datetime

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mturkhub.accounts.actors import TeamRequest
from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.common.errors import ActionRefused
from mturkhub.common.stored_files import open_file, store_what_arrives
from mturkhub.common.tabular import Issue, bad_lines_csv
from projects.actions import results as actions
from projects.forms.results import ResultsForm
from projects.models import Project, ResultsUpload
from projects.results_reading import ResultLine, ResultsReport, result_lines, results_table


@csrf_exempt
@require_http_methods(["GET", "POST"])
def upload_results(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """Exempt only until it is known whose file this is: looking for the token reads the file, and so stores it."""
    found = Project.objects.for_actor(request.actor).select_related("team")
    project = get_object_or_404(found, public_id=public_id)
    check_can(request.actor, Permission.BATCH_CREATE, project.team_id)
    if request.method == "POST":
        store_what_arrives(request, project.team_id)
    return _upload_page(request, project)


@csrf_protect
def _upload_page(request: TeamRequest, project: Project) -> HttpResponse:
    is_sent = request.method == "POST"
    form = ResultsForm(
        request.POST if is_sent else None, request.FILES if is_sent else None, team=project.team
    )
    if is_sent and form.is_valid():
        upload = actions.take_results(
            project,
            by=request.actor,
            connection=form.cleaned_data["connection"],
            file=form.cleaned_data["file"].stored,
        )
        return redirect("projects:import_results", upload.public_id)
    context = {"nav": "projects", "project": project, "form": form}
    return render(request, "projects/upload_results.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def import_results(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """GET says what the check found; POST imports exactly that."""
    upload = _upload(request, public_id)
    error, status = "", 200
    if request.method == "POST":
        try:
            job = actions.import_results(
                upload, by=request.actor, drop_bad_lines=bool(request.POST.get("drop"))
            )
            return redirect("projects:job", job.public_id)
        except ActionRefused as refused:
            error, status = refused.sentence, refused.status
    report = ResultsReport.from_json(upload.report)
    context = {
        "nav": "projects",
        "upload": upload,
        "report": report,
        "first": datetime.fromisoformat(report.first) if report.first else None,
        "last": datetime.fromisoformat(report.last) if report.last else None,
        "error": error,
    }
    return render(request, "projects/import_results.html", context, status=status)


@require_POST
def read_results_as(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    upload = _upload(request, public_id)
    actions.read_results_as(upload, by=request.actor, encoding=request.POST.get("encoding", ""))
    return redirect("projects:import_results", upload.public_id)


@require_safe
def bad_result_lines(request: TeamRequest, public_id: uuid.UUID) -> StreamingHttpResponse:
    """Every bad line with what is wrong with it, as CSV."""
    lines = bad_lines_csv(_lines(_upload(request, public_id)))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="bad-lines.csv"'
    return response


def _lines(upload: ResultsUpload) -> Iterator[ResultLine | Issue]:
    with open_file(upload.file) as stream:
        table = results_table(stream, upload.file.name, upload.encoding)
        yield from result_lines(table, connection=upload.connection, team_id=upload.team_id)


def _upload(request: TeamRequest, public_id: uuid.UUID) -> ResultsUpload:
    found = ResultsUpload.objects.for_actor(request.actor)
    upload = get_object_or_404(
        found.select_related("project", "connection", "file", "batch"), public_id=public_id
    )
    check_can(request.actor, Permission.BATCH_CREATE, upload.team_id)
    return upload

"""Projects: what Workers are told and paid, and the HTML they see."""

import uuid
from collections.abc import Iterable
from typing import Any

from django import forms
from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from mturkhub.accounts.permissions import Permission, check_can
from mturkhub.api.base import ApiView, find
from mturkhub.api.fields import Dollars, DollarsSent, Fields, Seconds, Text
from mturkhub.api.forms import as_form, form_values
from mturkhub.api.paging import PageFields, listed, page_from
from mturkhub.api.repeating import once
from mturkhub.api.schema import KEY, listing
from projects.actions.projects import create_project, save_template, update_project
from projects.forms import ProjectForm
from projects.models import HITTemplate, Project
from projects.models.project import Approval

_TITLE_IF_NONE = "The title, unless given."


class ProjectBody(Fields):
    """Names as MTurk's; durations in seconds, money in dollars."""

    title = Text(help_text="What Workers see in the list.")
    description = Text(required=False, help_text=_TITLE_IF_NONE)
    keywords = Text(required=False, allow_blank=True, help_text="Separated by commas.")
    reward = DollarsSent(help_text="For one answer, fee not included.")
    max_assignments = serializers.IntegerField(required=False, help_text="Answers per row; 1 unless given.")
    assignment_duration = Seconds(required=False, help_text="Time for one answer; an hour unless given.")
    lifetime = Seconds(required=False, help_text="How long a HIT is open; 7 days unless given.")
    auto_approval_delay = Seconds(
        required=False, help_text="MTurk approves by itself after; 3 days unless given."
    )
    estimated_duration = Seconds(required=False, allow_null=True, help_text="What one answer really takes.")
    frame_height = serializers.IntegerField(required=False, help_text="Pixels; 0 grows with the content.")
    approval = serializers.ChoiceField(Approval.choices, required=False)
    name = Text(required=False, help_text="For the team alone. " + _TITLE_IF_NONE)
    main_field = Text(required=False, allow_blank=True, help_text="The answer field to average.")
    data_note = Text(required=False, allow_blank=True, help_text="Licence and attribution of the data.")
    html = Text(
        required=False, trim_whitespace=False, help_text="The question, with ${placeholders} for columns."
    )


class ProjectShown(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    keywords = serializers.CharField()
    reward = Dollars()
    max_assignments = serializers.IntegerField()
    assignment_duration = Seconds()
    lifetime = Seconds()
    auto_approval_delay = Seconds()
    estimated_duration = Seconds(allow_null=True)
    frame_height = serializers.IntegerField()
    approval = serializers.ChoiceField(Approval.choices)
    main_field = serializers.CharField()
    data_note = serializers.CharField()
    created_at = serializers.DateTimeField()


class ProjectInFull(ProjectShown):
    html = serializers.CharField(help_text="The latest version of the template; empty before the first.")
    template_version = serializers.IntegerField(allow_null=True)


class Projects(ApiView):
    @extend_schema(operation_id="projects_list", parameters=[PageFields], responses=listing(ProjectShown))
    def get(self, request: Request) -> Response:
        """The team's projects, the newest first."""
        found = Project.objects.for_actor(self.actor).order_by("-id")
        page = page_from(request, found, self.query(PageFields))
        return listed(request, page, _shown)

    @extend_schema(
        operation_id="projects_create", parameters=[KEY], request=ProjectBody, responses={201: ProjectInFull}
    )
    @once
    def post(self, request: Request) -> Response:
        """Make a project, with its question where `html` is given."""
        check_can(self.actor, Permission.PROJECT_EDIT, self.team)
        given = self.body(ProjectBody)
        html = given.pop("html", None)
        given.setdefault("description", given["title"])
        given.setdefault("name", _free_name(self.team.pk, given["title"][:100]))
        checked = _checked(Project(team=self.team), given)
        with transaction.atomic():
            made = create_project(self.team, by=self.actor, **checked)
            if html is not None:
                save_template(made, html, by=self.actor)
        return Response(_in_full(made), status=201)


class ProjectById(ApiView):
    @extend_schema(operation_id="projects_get", responses=ProjectInFull)
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """One project, with the latest version of its question."""
        return Response(_in_full(self._project(public_id)))

    @extend_schema(operation_id="projects_change", request=ProjectBody, responses=ProjectInFull)
    def patch(self, request: Request, public_id: uuid.UUID) -> Response:
        """Change what is given, for batches to come; other `html` becomes a new version."""
        project = self._project(public_id)
        check_can(self.actor, Permission.PROJECT_EDIT, project.team_id)
        given = self.body(ProjectBody, partial=True)
        html = given.pop("html", None)
        checked = _checked(project, given)
        with transaction.atomic():
            if checked:
                project = update_project(project, by=self.actor, **checked)
            if html is not None:
                save_template(project, html, by=self.actor)
        return Response(_in_full(project))

    def _project(self, public_id: uuid.UUID) -> Project:
        return find(Project.objects.for_actor(self.actor), public_id)


def _shown(projects: Iterable[Project]) -> list[Any]:
    return list(ProjectShown(projects, many=True).data)


def _in_full(project: Project) -> Any:
    latest: HITTemplate | None = project.templates.order_by("is_adopted", "-version").first()
    project.html = latest.html if latest else ""  # type: ignore[attr-defined]
    project.template_version = latest.version if latest else None  # type: ignore[attr-defined]
    return ProjectInFull(project).data


def _free_name(team_id: int, wanted: str) -> str:
    """The wanted name, with a number behind it where the team has such a project already."""
    taken = set(
        Project.objects.filter(team_id=team_id, name__startswith=wanted[:90]).values_list("name", flat=True)
    )
    names = (wanted, *(f"{wanted[:90]} {number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


def _checked(project: Project, given: dict[str, Any]) -> dict[str, Any]:
    """What the page's form makes of these values; it speaks of each that it refuses."""
    shown = forms.model_to_dict(project, fields=ProjectForm.Meta.fields)
    values = {**shown, **given}
    form = ProjectForm(as_form(values), instance=project)
    return form_values(form, given)

"""Where what is adopted goes."""

from typing import Any

from django import forms

from mturkhub.accounts.models import Team
from mturkhub.common.limits import LimitsInWords
from projects.models import Project
from projects.models.project import Approval


class _ProjectField(forms.ModelChoiceField):  # type: ignore[type-arg]  # it takes none when it runs
    def label_from_instance(self, project: Any) -> str:
        return f"{project} (approves at once)" if project.approval == Approval.AT_ONCE else str(project)


class IntoProjectForm(LimitsInWords, forms.Form):
    """One of the team's projects; none for a new one per title."""

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"] = _ProjectField(
            queryset=Project.objects.filter(team=team).order_by("name", "pk"),
            required=False,
            label="Into the project",
            to_field_name="public_id",
            empty_label="A new project for each title",
            help_text="In a project that approves each answer as it is collected, answers that wait are approved.",
        )

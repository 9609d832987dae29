"""A project's settings and its template."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms

from mturkhub.common.errors import ActionRefused
from mturkhub.common.limits import LimitsInWords
from mturkhub.gateway.fees import fee_per_assignment
from projects.actions.projects import check_html
from projects.forms.durations import DurationField
from projects.models import Project
from projects.models.project import (
    AUTO_APPROVAL_MAX,
    DESCRIPTION_MAX,
    DURATION_MIN,
    KEYWORDS_MAX,
    TITLE_MAX,
    Approval,
)

ANSWERS_HINT = (
    "How many different Workers answer each row. From ten on the fee doubles to 40 %; "
    "a HIT made with fewer than ten can never grow to ten."
)
REWARD_HINT = "Dollars for one answer. The fee is at least $0.01 each, so rewards under $0.05 cost more than 20 % on top."


class RewardField(forms.DecimalField):
    """Dollars with two decimals, as MTurk takes them."""

    def __init__(self, *, what: str = "reward", **kwargs: Any) -> None:
        super().__init__(
            min_value=Decimal("0.01"),
            max_digits=kwargs.pop("max_digits", 8),
            decimal_places=2,
            widget=forms.NumberInput({"step": "0.01", "min": "0.01", "inputmode": "decimal"}),
            error_messages={
                "min_value": f"The least a {what} can be is $0.01.",
                "max_decimal_places": "MTurk pays whole cents: at most two decimals.",
                "invalid": "Write an amount in dollars, such as 0.05.",
            },
            **kwargs,
        )


def answers_field() -> forms.IntegerField:
    return forms.IntegerField(
        label="Answers per row",
        min_value=1,
        max_value=1_000_000_000,
        initial=1,
        help_text=ANSWERS_HINT,
        error_messages={"min_value": "Each row needs at least one answer."},
    )


class ProjectForm(LimitsInWords, forms.ModelForm):  # type: ignore[type-arg]  # takes none at run time
    """Everything MTurk wants to know of a HIT, with its limits and why they matter."""

    reward = RewardField(label="Reward per answer", help_text=REWARD_HINT)
    max_assignments = answers_field()
    assignment_duration = DurationField(
        label="Time for one answer",
        shortest=DURATION_MIN,
        initial=timedelta(hours=1),
        help_text="How long a Worker may hold the HIT. Two to three times what it really takes: people queue work.",
    )
    lifetime = DurationField(
        label="Open for",
        shortest=DURATION_MIN,
        initial=timedelta(days=7),
        help_text="After this nobody can accept it any more; who works on it then may still submit.",
    )
    auto_approval_delay = DurationField(
        label="Approve by itself after",
        longest=AUTO_APPROVAL_MAX,
        initial=timedelta(days=3),
        help_text="MTurk pays what nobody has decided by then. Above 7 days people wait long for their money.",
    )
    estimated_duration = DurationField(
        label="One answer really takes",
        shortest=timedelta(seconds=1),
        required=False,
        help_text="Your own estimate; the hourly wage is computed from it until answers have been measured.",
    )

    class Meta:
        model = Project
        fields = [
            "name",
            "title",
            "description",
            "keywords",
            "reward",
            "max_assignments",
            "estimated_duration",
            "assignment_duration",
            "lifetime",
            "auto_approval_delay",
            "approval",
            "frame_height",
            "main_field",
            "data_note",
        ]
        labels = {
            "name": "Project name",
            "title": "Title",
            "description": "Description",
            "keywords": "Keywords",
            "approval": "Who decides",
            "frame_height": "Height of the frame",
            "main_field": "Answer field to average",
            "data_note": "Licence and attribution of the data",
        }
        help_texts = {
            "name": "For your team alone.",
            "title": f"What Workers see in the list, at most {TITLE_MAX} characters.",
            "description": f"What the work is, in full sentences, at most {DESCRIPTION_MAX:,} characters.",
            "keywords": (
                f"Separated by commas, at most {KEYWORDS_MAX:,} characters. "
                "Give word forms too: image, images, picture, pictures."
            ),
            "frame_height": "Pixels, a little more than the question needs. 0 lets it grow with its content.",
            "main_field": "The name of a field with numbers; empty takes the only one, or the first by name.",
            "data_note": "Kept with the project.",
        }
        widgets = {
            "description": forms.Textarea({"rows": 3}),
            "data_note": forms.Textarea({"rows": 2}),
            "approval": forms.Select(choices=Approval.choices),
        }

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        others = Project.objects.filter(team_id=self.instance.team_id, name=name).exclude(pk=self.instance.pk)
        if others.exists():
            raise forms.ValidationError(
                f"Your team has a project called “{name}” already. Choose another name."
            )
        return name

    @property
    def fee_hint(self) -> str:
        """What one answer costs at the reward that stands there, on a market with MTurk's fees."""
        try:
            reward = Decimal(str(self["reward"].value() or ""))
            answers = int(self["max_assignments"].value() or 1)
            fee = fee_per_assignment(reward, answers, "mturk")
        except (ArithmeticError, ValueError):
            return ""
        return f"One answer costs ${reward + fee:.2f}: ${reward:.2f} reward and ${fee:.2f} fee."


class TemplateForm(LimitsInWords, forms.Form):
    """The HTML of a HIT, typed or from a file."""

    html = forms.CharField(
        label="HTML",
        strip=False,
        widget=forms.Textarea(
            {"class": "code", "rows": 24, "spellcheck": "false", "data-code-editor": "HTML of the question"}
        ),
        error_messages={"required": "The template is empty. Write the HTML a Worker shall see."},
    )

    def clean_html(self) -> str:
        html: str = self.cleaned_data["html"]
        try:
            return check_html(html)
        except ActionRefused as refused:
            raise forms.ValidationError(refused.sentence) from refused

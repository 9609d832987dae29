"""Setting a budget."""

from decimal import Decimal
from typing import Any

from django import forms

from mturkhub.accounts.models import Team, User
from mturkhub.common.limits import LimitsInWords
from projects.models import Batch, BudgetPeriod, Project

# In the list to choose from, the newest first.
MOST_BATCHES = 100


class BudgetForm(LimitsInWords, forms.Form):
    """A limit, for whom or what, and how long."""

    whose = forms.ChoiceField(label="For", required=False)
    limit = forms.DecimalField(
        label="At most", min_value=Decimal(0), max_digits=12, decimal_places=2, help_text="Fees included."
    )
    period = forms.ChoiceField(label="Counted", choices=BudgetPeriod.choices)

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.targets: dict[str, User | Project | Batch | None] = {"": None}
        people = User.objects.filter(memberships__team=team, is_active=True).order_by("name", "pk")
        projects = Project.objects.filter(team=team).order_by("name", "pk")
        batches = Batch.objects.filter(team=team).order_by("-pk")[:MOST_BATCHES]
        groups: list[tuple[str, Any]] = [("", "The whole team")]
        for name, rows in (("One person", people), ("One project", projects), ("One batch", batches)):
            keyed = {f"{row._meta.model_name}:{row.public_id}": row for row in rows}
            self.targets |= keyed
            groups.append((name, [(key, str(row)) for key, row in keyed.items()]))
        self.fields["whose"] = forms.ChoiceField(label="For", choices=groups, required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "whose" in data:
            data["target"] = self.targets[data.pop("whose")]
        return data

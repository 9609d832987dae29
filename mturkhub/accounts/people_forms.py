"""What a person may type about people and teams."""

from datetime import timedelta
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password

from mturkhub.accounts.models import Team, User
from mturkhub.accounts.permissions import ROLE_PERMISSIONS, Permission, Role
from mturkhub.common.limits import LimitsInWords

_ROLES = [(role.value, role.value.capitalize()) for role in Role]


class InvitationForm(LimitsInWords, forms.Form):
    email = forms.EmailField(
        label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "off"}), max_length=254
    )
    role = forms.ChoiceField(label="Role", choices=_ROLES, initial=Role.REVIEWER.value)


class RoleForm(LimitsInWords, forms.Form):
    role = forms.ChoiceField(
        label="Role", choices=_ROLES, help_text="What each role may do stands on the team page."
    )


class NewPasswordForm(LimitsInWords, forms.Form):
    """A password for `user`, who is not signed in; without one where it is not required."""

    password = forms.CharField(
        label="New password",
        strip=False,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Empty: the present one stays.",
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if password:
            self.user.name = self.cleaned_data.get("name", self.user.name)
            validate_password(password, self.user)
        return password


class JoinForm(NewPasswordForm):
    name = forms.CharField(
        label="Your name",
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        help_text="As your team knows you.",
    )

    field_order = ["name", "password"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        password = self.fields["password"]
        password.label, password.required = "A password", True
        password.help_text = " ".join(password_validators_help_texts())


class TokenForm(LimitsInWords, forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="What it is for, such as “notebook on my laptop”.",
    )
    days = forms.TypedChoiceField(
        label="Works for",
        coerce=int,
        choices=[(7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "a year")],
        initial=90,
    )
    scope = forms.MultipleChoiceField(
        label="It may read what you may read, and",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Tick as little as the script needs. When your role loses one of these, the token does as well.",
    )

    def __init__(self, *args: Any, role: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = ROLE_PERMISSIONS[Role(role)]  # type: ignore[call-arg]  # by value
        self.fields["scope"].choices = [(each.value, each.words) for each in Permission if each in mine]  # type: ignore[attr-defined]


class NewTeamForm(LimitsInWords, forms.Form):
    name = forms.CharField(label="Name of the team", max_length=100)


class TeamForm(NewTeamForm):
    time_zone = forms.ChoiceField(label="Time zone", help_text="For schedules and budgets of a month.")
    grace_time = forms.IntegerField(
        label="Decisions wait before they are sent",
        min_value=0,
        max_value=600,
        help_text="So long they can be undone.",
    )
    target_hourly_wage = forms.DecimalField(
        label="Hourly wage to aim for",
        min_value=0,
        max_digits=8,
        decimal_places=2,
        help_text="Below it, wages are shown in red.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = sorted(available_timezones())
        self.fields["time_zone"].choices = [(zone, zone) for zone in zones]  # type: ignore[attr-defined]

    @classmethod
    def showing(cls, team: Team) -> "TeamForm":
        """The settings in force."""
        return cls(
            initial={
                "name": team.name,
                "time_zone": team.time_zone,
                "grace_time": round(team.grace_time.total_seconds()),
                "target_hourly_wage": team.target_hourly_wage,
            }
        )

    def clean_grace_time(self) -> timedelta:
        return timedelta(seconds=self.cleaned_data["grace_time"])


class NameForm(LimitsInWords, forms.Form):
    name = forms.CharField(
        label="Name", max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )


class EmailForm(LimitsInWords, forms.Form):
    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text="You sign in with it from now on.",
    )

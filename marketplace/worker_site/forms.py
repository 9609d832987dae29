"""What a Worker types to make an account and to sign in."""

from typing import Any

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.hashers import make_password
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from marketplace import clock
from marketplace.models import Worker
from marketplace.worker_site.places import countries, us_states

_EMAIL = forms.EmailInput(attrs={"autocomplete": "email"})


def _country_choices() -> list[tuple[str, str | Promise]]:
    return [("", _("not said")), *countries().items()]


def _state_choices() -> list[tuple[str, str | Promise]]:
    return [("", _("none")), *us_states().items()]


class LocaleForm(forms.Form):
    """Where a Worker lives."""

    country = forms.ChoiceField(
        label=_("Country you live in"),
        choices=_country_choices,
        required=False,
        help_text=_("Some work is for people of certain countries only."),
        widget=forms.Select(attrs={"autocomplete": "country"}),
    )
    subdivision = forms.ChoiceField(
        label=_("State, in the United States"), choices=_state_choices, required=False
    )

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        if told.get("subdivision") and told.get("country") != "US":
            self.add_error(
                "subdivision", _("States are of the United States. Choose that country, or no state.")
            )
        return told


class AccountForm(LocaleForm):
    """What a Worker says of themselves, which requesters can ask for."""

    is_adult = forms.BooleanField(
        label=_("I am an adult and willing to see content for adults"), required=False
    )

    def save(self, worker: Worker) -> None:
        """Keep it with the Worker."""
        for name in ("country", "subdivision", "is_adult"):
            setattr(worker, name, self.cleaned_data[name])
        worker.save(update_fields=["country", "subdivision", "is_adult"])


class SignUpForm(LocaleForm):
    """A new Worker's e-mail address, name, password and where they live."""

    email = forms.EmailField(label=_("E-mail address"), widget=_EMAIL)
    name = forms.CharField(
        label=_("Your name"),
        max_length=200,
        required=False,
        help_text=_("Requesters never see it; they see a number."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        help_text=_("At least 10 characters."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if Worker.objects.filter(email=email).exists():
            raise forms.ValidationError(
                _("There is an account with this e-mail address already. Sign in instead.")
            )
        return email

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        password_validation.validate_password(password)
        return password

    def save(self) -> Worker:
        """The new Worker."""
        worker = Worker(
            email=self.cleaned_data["email"],
            name=self.cleaned_data["name"],
            country=self.cleaned_data["country"],
            subdivision=self.cleaned_data["subdivision"],
            created_at=clock.now(),
        )
        worker.set_password(self.cleaned_data["password"])
        worker.save()
        return worker


class SignInForm(forms.Form):
    """E-mail address and password; `worker` is who they belong to once the form is valid."""

    email = forms.EmailField(label=_("E-mail address"), widget=_EMAIL)
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    worker: Worker

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        if "email" not in told or "password" not in told:
            return told
        worker = Worker.objects.filter(email=told["email"].lower(), is_active=True).first()
        if worker is None:
            # As long as a check takes, so that the time does not tell who has an account.
            make_password(told["password"])
        if worker is None or not worker.check_password(told["password"]):
            raise forms.ValidationError(_("E-mail address and password do not belong together. Try again."))
        self.worker = worker
        return told

"""What the operator types."""

from decimal import Decimal

from django import forms
from django.utils.translation import gettext_lazy as _

from marketplace.models import Requester


class RequesterForm(forms.Form):
    """A new requester's name."""

    name = forms.CharField(label=_("Name"), max_length=200)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if Requester.objects.filter(name=name).exists():
            raise forms.ValidationError(_("There is a requester of this name already. Choose another name."))
        return name


class DepositForm(forms.Form):
    """Dollars to put into a requester's account."""

    amount = forms.DecimalField(
        label=_("Dollars"), min_value=Decimal("0.01"), max_value=Decimal(10**9), decimal_places=2
    )

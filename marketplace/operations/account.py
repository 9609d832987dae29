"""What a requester has."""

from django.conf import settings

from marketplace.call import Call, Members
from marketplace.models import Balance


def get_account_balance(call: Call, members: Members) -> Members:
    """What may be spent, and what is on hold if anything is."""
    if settings.FIXED_BALANCE:
        return {"AvailableBalance": "10000.00"}
    balance = Balance.objects.get(requester_id=call.requester_id)
    return {
        "AvailableBalance": f"{balance.available:.2f}",
        "OnHoldBalance": f"{balance.held:.2f}" if balance.held else None,
    }

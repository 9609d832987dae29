"""What a requester has."""

from marketplace.call import Call, Members
from marketplace.models import Balance


def get_account_balance(call: Call, members: Members) -> Members:
    """What may be spent, and what is on hold if anything is."""
    balance = Balance.objects.get(requester_id=call.requester_id)
    return {
        "AvailableBalance": f"{balance.available:.2f}",
        "OnHoldBalance": f"{balance.held:.2f}" if balance.held else None,
    }

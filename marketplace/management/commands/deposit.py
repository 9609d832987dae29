from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace.models import Balance
from marketplace.money import CENT
from marketplace.requesters import NoSuchRequester, deposit, find_requester


class Command(BaseCommand):
    """Puts dollars into a requester's account."""

    help = "Put dollars into a requester's account: deposit REQUESTER AMOUNT."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("requester", help="the requester's id (A…) or name")
        parser.add_argument("amount", help="dollars, such as 250.00")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            requester = find_requester(options["requester"])
        except NoSuchRequester as error:
            raise CommandError(str(error)) from error
        deposit(requester, _read_amount(options["amount"]))
        balance = Balance.objects.get(requester=requester)
        self.stdout.write(
            f"{requester} has {balance.available:.2f} available and {balance.held:.2f} on hold."
        )


def _read_amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise CommandError(f"“{text}” is no amount. Write dollars, such as 250.00.") from None
    if not amount.is_finite() or amount <= 0 or amount > 10**9 or amount != amount.quantize(CENT):
        raise CommandError(f"“{text}” must be above zero and have no more than two decimals.")
    return amount

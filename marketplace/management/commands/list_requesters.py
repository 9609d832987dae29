from typing import Any

from django.core.management.base import BaseCommand

from marketplace.models import Requester


class Command(BaseCommand):
    """Shows who posts HITs here."""

    help = "List the requesters: id, name, available and held dollars, and the access keys in force."

    def handle(self, *args: Any, **options: Any) -> None:
        for requester in (
            Requester.objects.select_related("balance").prefetch_related("access_keys").order_by("pk")
        ):
            balance = requester.balance
            keys = [key.key_id for key in requester.access_keys.all() if key.revoked_at is None]
            self.stdout.write(
                f"{requester.mturk_id}  {requester.name}  {balance.available:.2f} available, "
                f"{balance.held:.2f} on hold  {' '.join(keys) or 'no access key'}"
            )

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketplace.requesters import Keys, ensure_requester

NAME = "First requester"


class Command(BaseCommand):
    """Makes the first requester, once, with the key pair from the environment if there is one."""

    help = (
        "Make the first requester with its opening balance, and give it MARKETPLACE_ACCESS_KEY_ID and "
        "MARKETPLACE_SECRET_ACCESS_KEY, or a generated pair. Running it again changes nothing but the secret."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        key_id = os.environ.get("MARKETPLACE_ACCESS_KEY_ID", "")
        secret = os.environ.get("MARKETPLACE_SECRET_ACCESS_KEY", "")
        if bool(key_id) != bool(secret):
            raise CommandError(
                "Set both MARKETPLACE_ACCESS_KEY_ID and MARKETPLACE_SECRET_ACCESS_KEY, or neither."
            )
        try:
            _, keys = ensure_requester(NAME, keys=Keys(key_id, secret) if key_id else None)
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(keys.key_id)
        if not key_id:
            # Nobody else knows a generated secret.
            self.stdout.write(keys.secret)

"""Makes the first person, team and local Connection; harmless when they exist."""

import os

from django.core.management.base import BaseCommand, CommandError

from mturkhub.accounts.credentials import Keys
from mturkhub.accounts.first_team import ensure_first_team
from mturkhub.common.errors import ActionRefused


class Command(BaseCommand):
    help = (
        "Make the first person, their team and the Connection to the marketplace from MTURKHUB_ADMIN_EMAIL, "
        "MTURKHUB_ADMIN_PASSWORD, MTURKHUB_API_TOKEN, MARKETPLACE_ACCESS_KEY_ID and MARKETPLACE_SECRET_ACCESS_KEY. "
        "Prints the first owner's e-mail address."
    )

    def handle(self, *args: object, **options: object) -> None:
        key_id = os.environ.get("MARKETPLACE_ACCESS_KEY_ID", "")
        secret = os.environ.get("MARKETPLACE_SECRET_ACCESS_KEY", "")
        try:
            owner = ensure_first_team(
                email=os.environ.get("MTURKHUB_ADMIN_EMAIL", ""),
                password=os.environ.get("MTURKHUB_ADMIN_PASSWORD", ""),
                keys=Keys(key_id, secret) if key_id and secret else None,
                api_token=os.environ.get("MTURKHUB_API_TOKEN", ""),
            )
        except ActionRefused as refused:
            raise CommandError(refused.sentence) from None
        self.stdout.write(owner.email)

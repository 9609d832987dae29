from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace.requesters import NoSuchKey, revoke_key


class Command(BaseCommand):
    """Puts an access key out of force."""

    help = "Revoke an access key at once: whatever is signed with it from now on is refused."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key_id")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = revoke_key(options["key_id"])
        except NoSuchKey as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{key} of {key.requester} is revoked.")

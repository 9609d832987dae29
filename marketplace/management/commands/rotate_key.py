from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace.requesters import NoSuchKey, rotate_key


class Command(BaseCommand):
    """Puts a new access key in the place of an old one."""

    help = (
        "Revoke an access key and make another for the same requester; prints the new id and its secret, which "
        "is shown this once. To give programs time, use add_key now and revoke_key later."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key_id", help="the access key id to replace")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            keys = rotate_key(options["key_id"])
        except NoSuchKey as error:
            raise CommandError(str(error)) from error
        self.stdout.write(keys.key_id)
        self.stdout.write(keys.secret)

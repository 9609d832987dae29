from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace.requesters import NoSuchRequester, add_key, find_requester


class Command(BaseCommand):
    """Gives a requester one more access key."""

    help = (
        "Make a further access key for a requester; prints its id and its secret, which is shown this once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("requester", help="the requester's id (A…) or name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            keys = add_key(find_requester(options["requester"]))
        except NoSuchRequester as error:
            raise CommandError(str(error)) from error
        self.stdout.write(keys.key_id)
        self.stdout.write(keys.secret)

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace.models import Requester
from marketplace.requesters import ensure_requester


class Command(BaseCommand):
    """Makes a further requester."""

    help = "Make a requester with the opening balance; prints a new access key id and its secret."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        if Requester.objects.filter(name=options["name"]).exists():
            raise CommandError(f"There is a requester “{options['name']}” already. Choose another name.")
        _, keys = ensure_requester(options["name"])
        self.stdout.write(keys.key_id)
        self.stdout.write(keys.secret)

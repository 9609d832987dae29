from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace import clock


class Command(BaseCommand):
    """Moves the test clock."""

    help = "Move the marketplace's clock ahead by so many seconds. Needs MTURKHUB_TEST_CLOCK=1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("seconds", type=float)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            clock.advance(timedelta(seconds=options["seconds"]))
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        self.stdout.write(clock.now().isoformat())

from typing import Any

from django.core.management.base import BaseCommand

from marketplace.operator_site.signing_in import new_link


class Command(BaseCommand):
    """Lets whoever runs the marketplace onto the operator's page."""

    help = (
        "Print a link that opens the operator's page once, within an hour. Links printed before stop working."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(new_link())

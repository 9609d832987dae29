from typing import Any

from django.core.management.base import BaseCommand

from marketplace import lifecycle


class Command(BaseCommand):
    """Does once what each marketplace process does every second."""

    help = "Write down what time has done: deadlines, auto-approvals, expirations, 120-day disposals."

    def handle(self, *args: Any, **options: Any) -> None:
        changed = lifecycle.apply_due() + lifecycle.dispose_forgotten()
        self.stdout.write(str(changed))

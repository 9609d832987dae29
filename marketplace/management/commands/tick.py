from typing import Any

from django.core.management.base import BaseCommand

from marketplace import clockwork, lifecycle


class Command(BaseCommand):
    """Does once what each marketplace process does every second."""

    help = "Write down what time has done: deadlines, auto-approvals, expirations, 120-day disposals, old tokens."

    def handle(self, *args: Any, **options: Any) -> None:
        changed = lifecycle.apply_due() + clockwork.tidy()
        self.stdout.write(str(changed))

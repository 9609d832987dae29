from typing import Any

from django.core.management.base import BaseCommand

from marketplace import clockwork, delivering, lifecycle


class Command(BaseCommand):
    """Does once what each marketplace process does every second."""

    help = (
        "Write down what time has done: deadlines, auto-approvals, expirations, review policies, 120-day "
        "disposals, old tokens; and try what is in the outbox."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        changed = lifecycle.apply_due() + clockwork.tidy() + delivering.deliver_due()
        self.stdout.write(str(changed))

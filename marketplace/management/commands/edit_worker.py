from argparse import BooleanOptionalAction
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace.models import Worker
from marketplace.worker_site.places import countries, us_states


class Command(BaseCommand):
    """Says what the market's own qualifications know of a Worker."""

    help = (
        "Say where a Worker lives, whether they want to see content for adults, and whether this market counts them "
        "among its Masters: edit_worker WORKER_ID [--country US] [--subdivision WA] [--adult] [--master]."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("worker_id")
        parser.add_argument("--country", help="two letters of ISO 3166; '' for none")
        parser.add_argument("--subdivision", help="two letters, in the US only; '' for none")
        parser.add_argument("--adult", action=BooleanOptionalAction)
        parser.add_argument("--master", action=BooleanOptionalAction)

    def handle(self, *args: Any, **options: Any) -> None:
        worker = Worker.objects.filter(mturk_id=options["worker_id"]).first()
        if worker is None:
            raise CommandError(f"There is no Worker {options['worker_id']}.")
        names = {
            "country": "country",
            "subdivision": "subdivision",
            "adult": "is_adult",
            "master": "is_master",
        }
        for option, name in names.items():
            if options[option] is not None:
                setattr(worker, name, options[option])
        if worker.country and worker.country not in countries():
            raise CommandError(f"“{worker.country}” is no country. Write two letters, such as US.")
        if worker.subdivision and (worker.country != "US" or worker.subdivision not in us_states()):
            raise CommandError(
                f"“{worker.subdivision}” is no state of the US. Write two letters, such as WA."
            )
        worker.save(update_fields=list(names.values()))

"""Takes up work in a database that has just been restored."""

import json
import uuid
from datetime import datetime

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection as database
from django.db import transaction
from django.db.migrations.loader import MigrationLoader

from mturkhub.accounts.activity import record
from mturkhub.accounts.actors import Actor
from mturkhub.accounts.credentials import decrypt
from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from mturkhub.common.errors import ActionRefused
from mturkhub.common.models import Installation
from mturkhub.intentions.models import Job
from mturkhub.intentions.restoring import doubt_everything_open
from projects.models import HIT

BY = Actor.system("restore")
COPY = "This is a restored copy. Resume only when the installation it was copied from sends nothing here any more."


class Command(BaseCommand):
    help = (
        "Bring a restored database up to date, doubt every unfinished write, and make the installation another one "
        "with paused Connections, unless it replaces the old one. Prints what was done as JSON."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("made_at", type=datetime.fromisoformat, help="when the backup was made")
        parser.add_argument("--replace", action="store_true", help="the old installation is gone")

    def handle(self, *args: object, made_at: datetime, replace: bool, **options: object) -> None:
        check_not_newer()
        call_command("migrate", interactive=False, verbosity=0, stdout=self.stderr)
        self.stdout.write(json.dumps(take_up(made_at, replace=replace)))


def check_not_newer() -> None:
    """Refuse a database that a newer version has migrated."""
    loader = MigrationLoader(database)
    unknown = sorted(set(loader.applied_migrations) - set(loader.disk_migrations))
    if unknown:
        raise CommandError(
            f"The backup was made by a newer version: it has {'.'.join(unknown[0])}, which this one lacks. "
            "Restore it with that version."
        )


@transaction.atomic
def take_up(made_at: datetime, *, replace: bool) -> dict[str, object]:
    """What is open is doubted and nobody holds a lease; a copy is another installation and sends nothing."""
    doubted = doubt_everything_open(made_at)
    HIT.objects.filter(sweeps_without__gt=0).update(sweeps_without=0)
    # No bonus is sent before those paid since the backup are known.
    HIT.objects.at_the_market().update(bonuses_unread=True)
    Job.objects.filter(lease_until__isnull=False).update(lease_until=None)
    # Whatever the market has moved on since, the next sweep shows.
    Connection.objects.update(sweep_lease_until=None, next_sweep_at=None)
    if not replace:
        Installation.objects.update(public_id=uuid.uuid4())
        _pause()
    return {"doubted": doubted, "unreadable": _unreadable()}


def _pause() -> None:
    for connection in Connection.objects.select_related("account"):
        connection.paused_at, connection.paused_reason = clock.now(), COPY
        connection.save(update_fields=["paused_at", "paused_reason"])
        record(BY, "connection.paused", connection, team_id=connection.account.team_id)


def _unreadable() -> list[str]:
    names = []
    for connection in Connection.objects.order_by("pk"):
        try:
            decrypt(connection)
        except ActionRefused:
            names.append(connection.name)
    return names

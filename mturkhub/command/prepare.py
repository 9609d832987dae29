"""Brings one site's database up to date: `python -m mturkhub.command.prepare COMMAND [--link]`.

One process for all of it, because starting Django is what takes the time. DJANGO_SETTINGS_MODULE says which
site; of either it knows nothing but its commands.
"""

import io
import os
import sys

import django
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection

# Any number will do, as long as every start of either site uses the same one.
MIGRATION_LOCK = 6_385_734_210


def main(command: str, *, link: bool) -> None:
    """Migrate under a lock, run the command that makes what a fresh site needs, and print a sign-in link."""
    django.setup()
    with connection.cursor() as cursor:
        # Held by the session: another host that starts at the same moment waits here.
        cursor.execute("select pg_advisory_lock(%s)", [MIGRATION_LOCK])
        call_command("migrate", interactive=False, verbosity=0, stdout=sys.stderr)
        made = io.StringIO()
        call_command(command, stdout=made)
        cursor.execute("select pg_advisory_unlock(%s)", [MIGRATION_LOCK])
    if link:
        print_link(email=made.getvalue().strip())


def print_link(email: str) -> None:
    """Print a one-time link unless the person has got a password from the environment."""
    person = get_user_model().objects.get(email=email)
    if not (os.environ.get("MTURKHUB_ADMIN_PASSWORD") and person.has_usable_password()):
        call_command("sign_in_link", email, stdout=sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], link="--link" in sys.argv)

"""Puts every stored access key under the first encryption key, so that the others can be thrown away."""

from django.core.management.base import BaseCommand, CommandError

from mturkhub.accounts.credentials import encrypt_anew
from mturkhub.accounts.models import Connection
from mturkhub.common.errors import ActionRefused


class Command(BaseCommand):
    help = (
        "Encrypt the keys of every connection anew with the first key of MTURKHUB_ENCRYPTION_KEYS. Put a new key "
        "in front of the old one, restart, run this, then take the old one away. Running it again is harmless."
    )

    def handle(self, *args: object, **options: object) -> None:
        changed = total = 0
        unread = []
        for connection in Connection.objects.order_by("pk"):
            total += 1
            try:
                changed += encrypt_anew(connection)
            except ActionRefused as refused:
                unread.append(refused.sentence)
        self.stdout.write(
            f"{changed} of {total} connections were encrypted anew; {total - changed - len(unread)} stood "
            "under the first key already."
        )
        if unread:
            raise CommandError(
                "\n".join([*unread, "Keep the old encryption keys until these can be read as well."])
            )

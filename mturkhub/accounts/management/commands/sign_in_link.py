"""Prints a link that signs one person in once."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from mturkhub.accounts.models import User
from mturkhub.accounts.sign_in_links import new_sign_in_link


class Command(BaseCommand):
    help = "Print a link that signs a person in once, within 24 hours, without their password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: object, email: str, **options: object) -> None:
        user = User.objects.filter(email__iexact=email, is_active=True).first()
        if user is None:
            known = ", ".join(User.objects.filter(is_active=True).values_list("email", flat=True)[:20])
            raise CommandError(f"Nobody here signs in as {email}. Known addresses: {known or 'none yet'}.")
        self.stdout.write(new_sign_in_link(user))

"""Makes a project with a published batch, so that there is something to look at."""

from datetime import timedelta
from decimal import Decimal

from django.core.management.base import BaseCommand

from mturkhub.accounts.actors import Actor
from mturkhub.accounts.models import Connection, Environment, Membership
from mturkhub.accounts.permissions import Role
from projects.actions.batches import publish_batch
from projects.actions.projects import create_project, save_template
from projects.actions.uploads import create_batch, upload_file
from projects.models import Batch

NAME = "Demo: how positive is this text?"
HTML = """<!doctype html>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  body { max-width: 36rem; margin: 1.5rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; color: #1a1e23 }
  blockquote { margin: 1rem 0; padding: 0.75rem 1rem; border-radius: 0.5rem; background: #f4f5f7; font-size: 1.25rem }
  input, button { padding: 0.6rem 1rem; border: 1px solid #868e98; border-radius: 0.4rem; font: inherit }
  button { border: 0; background: #1c5bc9; color: #fff; font-weight: 600 }
</style>
<blockquote>${content}</blockquote>
<form>
  <p><label>How positive is this text, from 1 (sad) to 10 (happy)?<br>
    <input type="number" name="sentiment" min="1" max="10" required></label></p>
  <p><button>Submit</button></p>
</form>
"""
TEXTS = (
    "What a lovely morning",
    "I lost my keys again",
    "The train was late, but the view was worth it",
    "Nobody came to my birthday",
    "We won!",
    "It is Tuesday",
    "I could not have hoped for a kinder doctor",
    "The soup was cold and so was the waiter",
)


class Command(BaseCommand):
    help = "Make a project with a published batch in the first team, unless it is there. Prints the batch's name."

    def handle(self, *args: object, **options: object) -> None:
        self.stdout.write(make_demo().name)


def make_demo() -> Batch:
    """The demo's batch, published; made at the first call only."""
    if batch := Batch.objects.filter(project__name=NAME).order_by("pk").first():
        return batch
    membership = Membership.objects.filter(role=Role.OWNER).select_related("team", "user").order_by("pk")[0]
    connection = Connection.objects.filter(
        account__team=membership.team, environment=Environment.LOCAL
    ).order_by("pk")[0]
    by = Actor.person(membership)
    project = create_project(
        membership.team,
        by=by,
        name=NAME,
        title="How positive is this text?",
        description="Read one sentence and say how positive it sounds.",
        reward=Decimal("0.05"),
        keywords="text, sentiment, quick",
        max_assignments=3,
        estimated_duration=timedelta(seconds=15),
    )
    save_template(project, HTML, by=by)
    lines = ["content", *(f'"{text}"' for text in TEXTS)]
    upload = upload_file(project, by=by, name="texts.csv", chunks=["\n".join(lines).encode()])
    return publish_batch(create_batch(upload, by=by, connection=connection), by=by)

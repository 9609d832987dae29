import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace import clock, lifecycle
from marketplace.models import HIT, Assignment, Worker
from marketplace.models.assignment import AssignmentState


class Command(BaseCommand):
    """Acts as a test Worker from the command line."""

    help = (
        "Act as a test Worker: worker_act accept|submit|return HIT_ID WORKER_ID [FIELDS], where FIELDS is a "
        "JSON object of field names and values; prints the AssignmentId. A WORKER_ID beginning with ATEST is "
        "made when it is new. Needs MARKETPLACE_TEST_WORKERS."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["accept", "submit", "return"])
        parser.add_argument("hit_id")
        parser.add_argument("worker_id")
        parser.add_argument("fields", nargs="?", default="{}")

    def handle(self, *args: Any, **options: Any) -> None:
        fields = _read_fields(options["fields"])
        try:
            assignment = _act(options["act"], options["hit_id"], options["worker_id"], fields)
        except lifecycle.Refused as refusal:
            raise CommandError(f"{refusal.code}: {refusal.sentence}") from refusal
        self.stdout.write(assignment.mturk_id)


def _act(act: str, hit_id: str, worker_id: str, fields: list[tuple[str, str]]) -> Assignment:
    hit = HIT.objects.filter(mturk_id=hit_id).first()
    if hit is None:
        raise CommandError(f"There is no HIT {hit_id}.")
    worker = find_test_worker(worker_id)
    if act == "accept":
        return lifecycle.accept_hit(hit, worker)
    held = Assignment.objects.filter(hit=hit, worker=worker, state=AssignmentState.ACCEPTED).first()
    if held is None:
        raise CommandError(f"Worker {worker} does not hold HIT {hit}. Accept it first.")
    if act == "return":
        return lifecycle.return_assignment(held.mturk_id)
    return lifecycle.submit_assignment(held.mturk_id, fields)


def find_test_worker(worker_id: str) -> Worker:
    """The test Worker with this id, made where there is none."""
    if not settings.TEST_WORKERS:
        raise CommandError("Test Workers are switched off here. Set MARKETPLACE_TEST_WORKERS=1 to use them.")
    worker = Worker.objects.filter(mturk_id=worker_id).first()
    if worker is None and worker_id.startswith("ATEST") and worker_id.isalnum():
        worker = Worker.objects.create(mturk_id=worker_id, is_test=True, created_at=clock.now())
    if worker is None or not worker.is_test:
        raise CommandError(f"{worker_id} is no test Worker. Take an id that begins with ATEST.")
    return worker


def _read_fields(text: str) -> list[tuple[str, str]]:
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise CommandError('FIELDS must be a JSON object of texts, such as {"sentiment": "positive"}.')
    return list(fields.items())

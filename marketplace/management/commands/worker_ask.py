import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace import granting, lifecycle
from marketplace.answers import FormAnswer
from marketplace.management.commands.worker_act import find_test_worker
from marketplace.models.qualification import RequestState


class Command(BaseCommand):
    """Asks for a Qualification as a test Worker."""

    help = (
        "Ask for a Qualification as a test Worker: worker_ask TYPE_ID WORKER_ID [ANSWERS], where ANSWERS is a JSON "
        "object that has for each QuestionIdentifier of the test a text or a list of SelectionIdentifiers; prints "
        "the QualificationRequestId. Without ANSWERS a test stays begun. Needs MARKETPLACE_TEST_WORKERS."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("type_id")
        parser.add_argument("worker_id")
        parser.add_argument("answers", nargs="?")

    def handle(self, *args: Any, **options: Any) -> None:
        answers = None if options["answers"] is None else _read_answers(options["answers"])
        worker = find_test_worker(options["worker_id"])
        try:
            request = granting.ask(options["type_id"], worker)
            if request.state == RequestState.TESTING and answers is not None:
                granting.submit_test(request.mturk_id, worker, answers)
        except lifecycle.Refused as refusal:
            raise CommandError(f"{refusal.code}: {refusal.sentence}") from refusal
        self.stdout.write(request.mturk_id)


def _read_answers(text: str) -> list[FormAnswer]:
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(_is_answer(each) for each in given.values()):
        raise CommandError('ANSWERS must be a JSON object such as {"sky": ["blue"], "why": "it is so"}.')
    return [
        FormAnswer(identifier, text=answer)
        if isinstance(answer, str)
        else FormAnswer(identifier, tuple(answer))
        for identifier, answer in given.items()
    ]


def _is_answer(value: Any) -> bool:
    is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return is_list or isinstance(value, str)

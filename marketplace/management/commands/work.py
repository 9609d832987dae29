import random
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace import crowd


class Command(BaseCommand):
    """Pretend Workers, who answer at random or as a file says."""

    help = (
        "Have pretend Workers answer open HITs: at random once; with --every again and again, holding each HIT for a "
        "round as people do; or with --replay as a CSV of task,worker,label says. Prints how many answers were sent."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--group", default="", help="only this HITGroupId or HITTypeId")
        parser.add_argument(
            "--replay", type=Path, metavar="FILE", help="a CSV with the columns task, worker, label"
        )
        parser.add_argument("--field", default="label", help="where a replayed label goes (label)")
        parser.add_argument("--workers", type=int, default=8, help="how many work at random (8)")
        parser.add_argument("--most", type=int, default=1_000_000, help="at most so many answers in a round")
        parser.add_argument(
            "--every", type=float, metavar="SECONDS", help="go on until stopped, a round each time"
        )
        parser.add_argument("--seed", type=int, help="the same seed gives the same answers")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["replay"]:
            self._replay(options["replay"], options["field"], options["group"])
        else:
            self._at_random(**options)

    def _replay(self, path: Path, field: str, group: str) -> None:
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                done = crowd.replay(file, field, group=group)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
        except (crowd.UnreadableFile, UnicodeDecodeError) as error:
            raise CommandError(f"{path}: {error}") from error
        self.stdout.write(f"{done.answers} answers from {done.workers} Workers.")
        for sentence, count in done.refused.items():
            self.stderr.write(f"{count} lines could not be given: {sentence}")
        if done.refused:
            raise CommandError(f"{done.refused.total()} lines of {path} were not given.")

    def _at_random(
        self, *, group: str, workers: int, most: int, every: float | None, seed: int | None, **_: Any
    ) -> None:
        chance = random.Random(seed)  # noqa: S311 (answers, not secrets)
        people = [crowd.pretend_worker(f"random {number + 1}") for number in range(workers)]
        if every is None:
            sent = 0
            # A Worker may hold no more than 25 HITs, so it takes rounds.
            while sent < most and crowd.accept_some(people, chance, group=group, most=most - sent):
                sent += crowd.submit_held(people, chance)
            self.stdout.write(f"{sent} answers from {workers} Workers.")
            return
        while True:
            crowd.submit_held(people, chance)
            crowd.accept_some(people, chance, group=group, most=most)
            time.sleep(every)

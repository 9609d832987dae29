"""Workers who answer all HITs of one title, in a process of the marketplace: `-m bench._answering TITLE ANSWERS`.

They go on where they were when the database goes away under them; a repeated accept or submit changes nothing.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import django
from django.db import DatabaseError, InterfaceError, connection

PATIENCE = 120
THREADS = 3
ResultT = TypeVar("ResultT")


def answer_all(title: str, answers: int) -> None:
    """Have as many Workers as there are answers per HIT answer each HIT of the title."""
    missing = _patiently(partial(_find, title, answers))

    def work(first: int) -> None:
        for hit, worker in missing[first::THREADS]:
            _patiently(partial(_answer, hit, worker))
        connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))


def _find(title: str, answers: int) -> list[tuple[int, int]]:
    """Keys of each HIT and each Worker who has not answered it."""
    from marketplace import crowd
    from marketplace.models import HIT, Assignment

    hits = HIT.objects.filter(hit_type__title=title).order_by("pk").values_list("pk", flat=True)
    workers = [crowd.pretend_worker(f"{title} {number}").pk for number in range(answers)]
    given = Assignment.objects.filter(hit__hit_type__title=title, submitted_at__isnull=False)
    done = set(given.values_list("hit_id", "worker_id"))
    return [(hit, worker) for worker in workers for hit in hits if (hit, worker) not in done]


def _answer(hit_key: int, worker_key: int) -> None:
    from marketplace import lifecycle
    from marketplace.models import HIT, Assignment, Worker

    try:
        held = lifecycle.accept_hit(HIT.objects.get(pk=hit_key), Worker.objects.get(pk=worker_key))
        lifecycle.submit_assignment(held.mturk_id, [("label", f"{worker_key} on {hit_key}")])
    except lifecycle.Refused as refused:
        # An answer whose confirmation was lost has been given all the same.
        given = Assignment.objects.filter(hit=hit_key, worker=worker_key, submitted_at__isnull=False)
        if not given.exists():
            raise RuntimeError(f"HIT {hit_key}: {refused.sentence}") from refused


def _patiently(do: Callable[[], ResultT]) -> ResultT:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return do()
        except (DatabaseError, InterfaceError):
            if time.monotonic() > deadline:
                raise
            connection.close()
            time.sleep(0.2)


if __name__ == "__main__":
    django.setup()
    answer_all(sys.argv[1], int(sys.argv[2]))

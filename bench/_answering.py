"""Workers who answer all HITs of one title, in a process of the marketplace: `-m bench._answering TITLE ANSWERS`.

They go on where they were when the database goes away under them; a repeated accept or submit changes nothing.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import django
from django.db import DatabaseError, connection

PATIENCE = 120
THREADS = 3


def answer_all(title: str, answers: int) -> None:
    """Have as many Workers as there are answers per HIT answer each HIT of the title."""
    from marketplace import crowd
    from marketplace.models import HIT

    hits = list(HIT.objects.filter(hit_type__title=title).order_by("pk"))
    workers = [crowd.pretend_worker(f"{title} {number}") for number in range(answers)]

    def work(first: int) -> None:
        for number in range(first, answers, THREADS):
            for hit in hits:
                _answer(hit.pk, workers[number].pk, number)
        connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(min(THREADS, answers))))


def _answer(hit_key: int, worker_key: int, number: int) -> None:
    from marketplace import lifecycle
    from marketplace.models import HIT, Assignment, Worker

    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            worker = Worker.objects.get(pk=worker_key)
            held = lifecycle.accept_hit(HIT.objects.get(pk=hit_key), worker)
            lifecycle.submit_assignment(held.mturk_id, [("label", f"{number} of {hit_key}")])
            return
        except lifecycle.Refused as refused:
            # An answer whose confirmation was lost has been given all the same.
            given = Assignment.objects.filter(hit=hit_key, worker=worker_key, submitted_at__isnull=False)
            if given.exists():
                return
            raise RuntimeError(f"HIT {hit_key}: {refused.sentence}") from refused
        except DatabaseError:
            if time.monotonic() > deadline:
                raise
            connection.close()
            time.sleep(0.2)


if __name__ == "__main__":
    django.setup()
    answer_all(sys.argv[1], int(sys.argv[2]))

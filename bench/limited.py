"""Publishing under a limit of the endpoint, while decisions are made.

    python3 dev.py bench limited [--rows 10000] [--limit 50]

Boots the whole product in a folder of its own, set to an endpoint that answers after 100 ms and throttles what is more
than so many calls a second. Every few seconds a person approves an answer. Prints the share of the limit that was used
over the whole run, from the end of the click to the last HIT, failed rows, and how long decisions waited after they were due.
"""

import argparse
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

from bench._endpoint import tell
from bench._publishing import endpoint, product_at, publish, show

EVERY = 8.0


class Reviewer:
    """Approves an answer every EVERY seconds until told to stop."""

    def __init__(self, by: Any, answers: list[Any]) -> None:
        self.by, self.answers = by, answers
        # The answer's id → when its decision was due.
        self.due: dict[str, float] = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._review)

    def _review(self) -> None:
        from django.db import connection

        from projects.actions.reviews import approve_assignment

        for answer in self.answers:
            if self.over.wait(EVERY):
                break
            decision = approve_assignment(answer, by=self.by)
            self.due[answer.mturk_id] = decision.due_at.timestamp()
        connection.close()


def answered_batch(rows: int) -> tuple[Any, list[Any]]:
    """The owner, and answers that wait for a decision: of a batch that was published before."""
    from bench._batches import make_batch
    from projects.counting import recount
    from projects.models import Assignment, HITType
    from tests.factories import AssignmentFactory, HITFactory

    by, batch = make_batch("Answered", rows, 1)
    hit_type = HITType.objects.create(
        connection=batch.connection, digest="bench", properties={}, mturk_id="3OLD"
    )
    for row in batch.rows.all():
        hit = HITFactory(row=row, published=True, hit_type=hit_type, expires_at=datetime.now(UTC))
        AssignmentFactory(hit=hit, submitted_at=datetime.now(UTC))
    recount(batch.rows.values_list("pk", flat=True))
    batch.state, batch.published_at, batch.published_by = "live", datetime.now(UTC), batch.created_by
    batch.save()
    return by, list(Assignment.objects.filter(batch=batch))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench limited", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--limit", type=float, default=50)
    wish = parser.parse_args(argv)
    with endpoint("--limit", str(wish.limit)) as url, product_at(url):
        from mturkhub.accounts.models import Connection, Team

        # Only publishing and deciding are looked at here.
        Connection.objects.update(
            next_sweep_at=datetime.now(UTC) + timedelta(days=1), balance=Decimal(10_000)
        )
        Team.objects.update(grace_time=timedelta(0))
        by, answers = answered_batch(max(3, round(wish.rows / wish.limit / EVERY) - 1))
        reviewer = Reviewer(by, answers)
        reviewer.thread.start()
        batch, _, stored = publish("Bench", wish.rows)
        reviewer.over.set()
        reviewer.thread.join()
        time.sleep(5)
        counts = tell(url, "/counts")
    done, throttled = sum(counts["calls"].values()), sum(counts["throttled"].values())
    seconds = counts["created"][1] - stored
    waits = [counts["approved"].get(key, 1e12) - due for key, due in reviewer.due.items()]
    show("rows", f"{wish.rows:,} in {seconds:.1f} s")
    show("share of the limit used, over the whole run", f"{100 * done / seconds / wish.limit:.1f} %")
    show("throttled calls", f"{throttled:,} of {done + throttled:,}")
    show("failed rows", f"{batch.rows_failed}")
    show("decisions meanwhile", f"{len(waits)}")
    show("a decision waited, median and longest", f"{median(waits):.1f} s, {max(waits):.1f} s")
    return 0 if batch.rows_no_answer == wish.rows else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

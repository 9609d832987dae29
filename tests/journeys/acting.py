"""Workers at the marketplace, run as a process of it: each line read is one who accepts a HIT and answers it.

A line is a JSON list: HITId, WorkerId, fields. Printed are the AssignmentIds.
"""

import json
import sys

import django


def act() -> None:
    from marketplace import clock, lifecycle
    from marketplace.models import HIT, Worker

    for line in sys.stdin:
        hit_id, worker_id, fields = json.loads(line)
        worker, _ = Worker.objects.get_or_create(mturk_id=worker_id, defaults={"created_at": clock.now()})
        held = lifecycle.accept_hit(HIT.objects.get(mturk_id=hit_id), worker)
        lifecycle.submit_assignment(held.mturk_id, list(fields.items()))
        print(held.mturk_id)  # noqa: T201


if __name__ == "__main__":
    django.setup()
    act()

"""Writing six fields of each of 256 HITs, as storing what came of calls does: Django's bulk_update against update_many.

    python3 dev.py bench update-many [--rows 256]

Boots the whole product in a folder of its own, set to an endpoint of ours, and publishes. Both write the same rows in
turn, eleven times; the medians are compared.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

from bench._publishing import endpoint, product_at, publish, show

FIELDS = ["hit_status", "expires_at", "max_assignments", "missing_since", "unusable", "changed_elsewhere"]
ROUNDS = 11


def seconds_of(write: Callable[[], object]) -> float:
    began = time.monotonic()
    write()
    return time.monotonic() - began


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench update-many", description=__doc__)
    parser.add_argument("--rows", type=int, default=256)
    wish = parser.parse_args(argv)
    with endpoint("--latency", "0.01") as url, product_at(url):
        from mturkhub.common.many_rows import update_many
        from projects.models import HIT

        publish("Bench", wish.rows)
        hits = list(HIT.objects.all())
        taken: dict[str, list[float]] = {"bulk_update": [], "update_many": []}
        for _ in range(ROUNDS):
            taken["bulk_update"].append(seconds_of(lambda: HIT.objects.bulk_update(hits, FIELDS)))
            taken["update_many"].append(seconds_of(lambda: update_many(hits, FIELDS)))
    theirs, ours = (statistics.median(each) for each in taken.values())
    show("rows, fields of each", f"{len(hits):,}, {len(FIELDS)}")
    show("bulk_update, update_many", f"{theirs * 1000:.0f} ms, {ours * 1000:.0f} ms")
    show("ratio", f"{theirs / ours:.1f} times")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Collecting 10,000 HITs of which 2 % changed: calls against the least number there is.

    python3 dev.py bench collect [--hits 10000] [--changed 0.02]

Boots the whole product in a folder of its own, set to an endpoint of ours, publishes, and sweeps once. Then a part of
the HITs is answered, and a sweep is counted by the endpoint; then another, with nothing changed. The least number is
every page of the list, and one call for each HIT that changed.
"""

import argparse
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from bench._endpoint import PAGE, tell
from bench._publishing import endpoint, product_at, publish, show


def swept(url: str, connection: Any) -> tuple[int, float, int]:
    """Calls of one sweep, its seconds, and the answers it brought."""
    from mturkhub.accounts.credentials import gateway_for
    from mturkhub.gateway.rate_budget import Lane
    from projects.collecting import sweep

    before, began = calls(url), time.monotonic()
    gateway = gateway_for(connection, Lane.COLLECTING)
    while (record := sweep(connection, gateway=gateway)) is None:
        time.sleep(0.2)  # beat's last one
        before = calls(url)
    assert record.is_complete, record.problem
    return calls(url) - before, time.monotonic() - began, record.answers_new


def calls(url: str) -> int:
    counted: dict[str, int] = tell(url, "/counts")["calls"]
    return sum(number for operation, number in counted.items() if operation.startswith("List"))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench collect", description=__doc__)
    parser.add_argument("--hits", type=int, default=10_000)
    parser.add_argument("--changed", type=float, default=0.02)
    wish = parser.parse_args(argv)
    with endpoint("--latency", "0.01") as url, product_at(url):
        from mturkhub.accounts.models import Connection

        publish("Bench", wish.hits)
        # Beat sweeps as well: not from now on.
        connection = Connection.objects.get()
        swept(url, connection)
        Connection.objects.update(next_sweep_at=datetime.now(UTC) + timedelta(days=1))
        changed = tell(url, f"/answer?hits={round(wish.hits * wish.changed)}")["answered"]
        made, seconds, new = swept(url, connection)
        idle, _, _ = swept(url, connection)
    # A last page that is full is followed by an empty one.
    pages = wish.hits // PAGE + 1
    show("HITs, changed since the last sweep", f"{wish.hits:,}, {changed:,}")
    show("calls of a sweep, and the least number", f"{made:,}, {pages + changed:,}")
    show("ratio", f"{made / (pages + changed):.3f} times")
    show("seconds of it, answers it brought", f"{seconds:.1f} s, {new:,}")
    show("calls of a sweep when nothing changed", f"{idle:,}, {pages:,}")
    return 0 if new == changed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

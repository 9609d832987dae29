"""Publishing to an endpoint that answers after 100 ms, beside a loop of one call after the other.

    python3 dev.py bench publish [--rows 10000] [--latency 0.1]

Boots the whole product in a folder of its own, with one worker host as `mturkhub up` starts it. The loop is boto3 as
anybody would write it, timed over a sample. Prints both rates and their ratio, calls, and memory of the worker.
"""

import argparse
import sys
import time
import uuid

import boto3

from bench._endpoint import tell
from bench._publishing import endpoint, product_at, publish, show

SAMPLE = 200


def loop(url: str, calls: int) -> float:
    """Calls a second of a plain loop."""
    client = boto3.client(
        "mturk",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="AKIALOOP",
        aws_secret_access_key="loop",
    )
    question = (
        '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/'
        'HTMLQuestion.xsd"><HTMLContent><![CDATA[<p>text</p>]]></HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>'
    )
    began = time.monotonic()
    for _ in range(calls):
        client.create_hit_with_hit_type(
            HITTypeId="3TYPE",
            MaxAssignments=1,
            LifetimeInSeconds=3600,
            Question=question,
            RequesterAnnotation="loop",
            UniqueRequestToken=str(uuid.uuid4()),
        )
    return calls / (time.monotonic() - began)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench publish", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds (0.1)")
    wish = parser.parse_args(argv)
    options = ("--latency", str(wish.latency))
    with endpoint(*options) as url, product_at(url) as worker:
        with worker.watched():
            batch, clicked, stored = publish("Bench", wish.rows)
        counts = tell(url, "/counts")
        with endpoint(*options) as another:
            serial = loop(another, SAMPLE)
    first, last = counts["created"]
    seconds = last - clicked
    rate, calls = wish.rows / seconds, sum(counts["calls"].values()) - counts["calls"].get("ListHITs", 0)
    calls -= counts["calls"].get("GetAccountBalance", 0)
    show("rows", f"{wish.rows:,} in {seconds:.1f} s")
    show("of which the click, which stores the intentions", f"{stored - clicked:.1f} s")
    show("rate, from the click to the last row", f"{rate:.0f} a second")
    show("rate, from the first HIT to the last", f"{wish.rows / (last - first):.0f} a second")
    show("a loop of one call after the other", f"{serial:.2f} a second")
    show("ratio", f"{rate / serial:.1f} times")
    show("calls to publish", f"{calls:,} ({calls - wish.rows - 1} more than rows + 1)")
    show("most memory of the worker, all processes", f"{worker.most:.0f} MB, {worker.before:.0f} before")
    show("a core's time in the worker, for a row", f"{1000 * worker.cpu / wish.rows:.1f} ms")
    show("failed rows", f"{batch.rows_failed}")
    return 0 if batch.rows_no_answer == wish.rows else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

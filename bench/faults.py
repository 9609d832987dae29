"""The product behind a proxy that loses, cuts, throttles, hangs and garbles calls, with kills; both books are compared.

    python3 dev.py bench faults --rounds 30 --seed 7 --rows 1000

A round publishes a batch, has each row answered, collects and approves in bulk, asks each row for one answer more, which is decided
as well, pays bonuses, and closes the batch with its HITs deleted: all through the proxy, while parts of the product are
killed as in `bench kill-rounds`. After it, and again after two more sweeps: as many HITs as rows and one for each, the
same answers on both sides, each decision and bonus made and paid exactly once, every HIT deleted. Seeds, faults, kills,
counts and ledger sums of each round go to a file.
"""

import argparse
import json
import os
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench._books import Books
from bench.kill_rounds import Round, Running, play, running_product
from tests.faulty_proxy import FaultyProxy, faulty_proxy

# Read by Python itself before anything else: hung calls are given up after a second instead of thirty, and what is
# drawn as throttled says nothing about the marketplace's limit.
_IMPATIENT = """
import mturkhub.gateway.client as client
from mturkhub.gateway.rate_budget import RateBudget
client.READ_TIMEOUT = 1
RateBudget.cut = lambda *_: False
"""
HANG = 1.3  # seconds, past that timeout


def ledger(books: Books) -> dict[str, str]:
    """The marketplace's ledger, summed by where money came from and went to, in dollars."""
    moves = books.there(
        "select source, target, sum(amount) from marketplace_ledgerentry group by source, target order by 1, 2",
    )
    return {f"{source} to {target}": str(amount) for source, target, amount in moves}


def counts(books: Books) -> dict[str, int]:
    """Rows of the tables that must not hold one too many, on both sides."""
    here = ("projects_hit", "projects_assignment", "projects_decision", "projects_bonus")
    there = ("marketplace_hit", "marketplace_assignment", "marketplace_bonus")
    asked = [*((books.here, name) for name in here), *((books.there, name) for name in there)]
    return {name: ask(f"select count(*) from {name}")[0][0] for ask, name in asked}


def protocol(running: Running, played: Round, proxy: FaultyProxy, seed: str) -> dict[str, Any]:
    """What the file says of one round."""
    return {
        "round": played.number,
        "seed": seed,
        "wrong": played.wrong,
        "seconds": {**played.phases, "all": round(played.seconds)},
        "calls": dict(sorted(proxy.counts.items())),
        "kills": [str(kill) for kill in played.kills],
        "counts": counts(running.books),
        "ledger": ledger(running.books),
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, help="what follows from it: faults, targets and moments (fresh)")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--answers", type=int, default=1, help="answers to each row (1)")
    parser.add_argument("--bonuses", type=int, default=50, help="answers that get one (50)")
    parser.add_argument("--share", type=float, default=0.1, help="of all calls go wrong (0.1)")
    parser.add_argument("--most", type=int, default=2, help="kills in each phase, two at least (2)")
    parser.add_argument("--file", type=Path, default=Path("faults.jsonl"), help="where it is written down")
    wish = parser.parse_args(argv)
    seed = wish.seed if wish.seed is not None else secrets.randbelow(10**6)
    print(f"seed {seed}, {wish.rows} rows, {wish.share:.0%} of calls go wrong", flush=True)
    deck: list[str] = []
    wrong, faults = 0, Counter[str]()
    with tempfile.TemporaryDirectory(prefix="mturkhub-faults-") as folder:
        (Path(folder) / "sitecustomize.py").write_text(_IMPATIENT)
        os.environ["PYTHONPATH"] = folder
        with (
            running_product(Path(folder), hurry=True, most=wish.most) as running,
            wish.file.open("a", encoding="utf-8") as file,
        ):
            marketplace = running.marketplace_env["MARKETPLACE_URL"]
            for number in range(1, wish.rounds + 1):
                of_round = f"{seed} {number}"
                with faulty_proxy(marketplace, seed=of_round, share=wish.share, hang=HANG) as proxy:
                    running.books.here("update accounts_connection set endpoint = %s", proxy.url)
                    chance = random.Random(of_round)
                    sizes = {"rows": wish.rows, "answers": wish.answers, "bonuses": wish.bonuses}
                    played = play(running, number, chance, deck, **sizes)
                    file.write(json.dumps(protocol(running, played, proxy, of_round)) + "\n")
                    file.flush()
                    faults.update(proxy.counts)
                wrong += bool(played.wrong)
                print(f"{time.strftime('%H:%M:%S')} {played}", flush=True)
    print(f"seed {seed}: {wish.rounds} rounds, {wrong} went wrong; calls: {dict(sorted(faults.items()))}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

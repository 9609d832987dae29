"""Kills parts of the running product at random, again and again, and compares both books after each round.

    python3 dev.py bench kill-rounds --rounds 20 --seed 7 --rows 800

A round publishes a batch, has each row answered ten times, collects and approves in bulk. Meanwhile Celery's
worker, beat, dashboard, marketplace, Valkey and Postgres, as a whole or one child of theirs, get SIGKILL at moments
that follow from the seed. A round counts only if HITs, and later Decisions, were in `sending` at a kill. After
it, and again after two more sweeps: as many HITs as rows and one for each, the same answers on both sides, each
decision made and paid exactly once.

`--hurry` lets the leases of dead senders and sweepers run out at once instead of after a minute or two, sends decisions
without a grace time, sweeps without a pause, has everything that waits for its turn be due, and rings more often than
beat does. It spares single children of the worker, since nobody could tell which leases were theirs.
"""

import argparse
import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar

import psutil
from kombu.exceptions import OperationalError
from redis import RedisError

from bench._batches import make_batch
from bench._books import BONUS, Books, Wanted, compare, patiently
from bench.main_job import product
from mturkhub.command.settings import dashboard, marketplace

ROOT = Path(__file__).resolve().parents[1]
# Words in the command line of each service that `up` starts.
SERVICES = {
    "worker": " worker ",
    "beat": " beat ",
    "web": "mturkhub.wsgi",
    "marketplace": "marketplace.wsgi",
    "valkey": "valkey-server",
    "postgres": "bin/postgres",
}
# What is killed: a service with all its children, or one child of it, as a full memory would.
TARGETS = (
    *SERVICES,
    *("a child of worker", "a child of web", "a child of marketplace", "a child of postgres"),
)
# Tables of what is sent, and the column each keeps its state in.
INTENTIONS = {
    "projects_hit": "publish_state",
    "projects_decision": "state",
    "intentions_operation": "state",
    "projects_bonus": "state",
}
# What is rung for in a hurry, and the seconds between two rings.
RINGS = {
    "projects.tasks.publish_due_batches": 1.0,
    "projects.tasks.send_all_due_decisions": 1.0,
    "projects.tasks.send_all_due_operations": 1.0,
    "projects.tasks.send_all_due_bonuses": 1.0,
    "projects.tasks.collect_due_connections": 1.0,
    "projects.tasks.end_batches": 2.0,
    "projects.tasks.settle_unknown": 4.0,
}
PATIENCE = 600.0
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Kill:
    """One kill: what, in which phase, and how many rows were being sent then."""

    target: str
    phase: str
    hits: int
    decisions: int
    operations: int
    bonuses: int

    def __str__(self) -> str:
        counts = {
            "HITs": self.hits,
            "decisions": self.decisions,
            "operations": self.operations,
            "bonuses": self.bonuses,
        }
        sending = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        return f"{self.target} ({self.phase}; {sending or 'none'} in sending)"


@dataclass
class Round:
    """What was killed in a round, and each difference between the books, in words."""

    number: int
    kills: list[Kill] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    # Of each phase, and of the whole round with its comparisons.
    phases: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether HITs and Decisions were being sent at a kill."""
        return any(kill.hits for kill in self.kills) and any(kill.decisions for kill in self.kills)

    def __str__(self) -> str:
        verdict = "; ".join(self.wrong) or (
            "well" if self.counts else "well, but nothing was being sent at a kill"
        )
        kills = "\n    ".join(map(str, self.kills))
        return f"Round {self.number}: {verdict} ({self.seconds:.0f} s, {len(self.kills)} kills)\n    {kills}"


@dataclass(frozen=True)
class Running:
    """The product that runs: its processes and its books."""

    manager: psutil.Process
    books: Books
    marketplace_env: dict[str, str]
    hurry: bool
    most: int  # kills in one phase

    def in_flight(self) -> tuple[int, int, int, int]:
        """How many HITs, Decisions, Operations and Bonuses are being sent."""
        counted = self.books.here(
            "select (select count(*) from projects_hit where publish_state = 'sending'), "
            "(select count(*) from projects_decision where state = 'sending'), "
            "(select count(*) from intentions_operation where state = 'sending'), "
            "(select count(*) from projects_bonus where state = 'sending')",
        )
        hits, decisions, operations, bonuses = counted[0]
        return hits, decisions, operations, bonuses

    def kill(self, target: str, chance: random.Random, *, phase: str) -> Kill:
        """Send SIGKILL; what was being sent is counted when the sender is gone, else before."""
        before = self.in_flight()
        service = self._service(target.removeprefix("a child of "))
        victims = service.children(recursive=True)
        victims = [chance.choice(victims)] if target.startswith("a child") else [service, *victims]
        for victim in victims:
            try:
                victim.kill()
            except psutil.NoSuchProcess:
                continue
        if target == "worker":
            psutil.wait_procs(victims, timeout=5)
            before = self.in_flight()
        # Who loses the database, even one session of it, fails at the next statement as if killed.
        if self.hurry and (target == "worker" or "postgres" in target):
            self._let_leases_run_out()
        return Kill(target, phase, *before)

    def wait(self, done: Callable[[], bool], what: str) -> None:
        """Return once it is so; TimeoutError when it is not after PATIENCE seconds."""
        deadline, rings = time.monotonic() + PATIENCE, self._rings() if self.hurry else repeat(None)
        while not query(done):
            if time.monotonic() > deadline:
                raise TimeoutError(f"Waited {PATIENCE:.0f} s for {what}.")
            next(rings)
            time.sleep(0.3)

    def _rings(self) -> Iterator[None]:
        """Each step has what waits be due, and rings for it as beat does, only without its pauses."""
        from mturkhub.celery import app

        rung: dict[str, float] = {}
        while True:
            self.books.here("update accounts_connection set next_sweep_at = null")
            for table, state in INTENTIONS.items():
                self.books.here(
                    f"update {table} set due_at = now() where {state} = 'queued' and due_at > now()",
                )
            for task, pause in RINGS.items():
                if time.monotonic() - rung.get(task, 0.0) > pause:
                    rung[task] = time.monotonic()
                    # The broker may be dead right now.
                    with suppress(OperationalError, RedisError, OSError):
                        app.send_task(task, expires=pause, retry=False)
            yield

    def _service(self, name: str) -> psutil.Process:
        """The service's first process with its children there, waited for after an earlier kill."""

        def find() -> psutil.Process:
            for child in self.manager.children():
                if SERVICES[name] in " ".join(child.cmdline()) and child.children():
                    return child
                if name in ("beat", "valkey") and SERVICES[name] in " ".join(child.cmdline()):
                    return child
            raise LookupError(name)

        return patiently(find, LookupError, psutil.Error)

    def _let_leases_run_out(self) -> None:
        """As if two minutes had passed: whoever held a lease is dead, or cannot write down what it does."""
        for table in INTENTIONS:
            self.books.here(
                f"update {table} set lease_until = clock_timestamp() - interval '1 second' where lease_until is not null",
            )
        self.books.here("update accounts_connection set sweep_lease_until = null")


def query(do: Callable[[], ResultT]) -> ResultT:
    """The result of a Django query of ours, over a new line if Postgres has cut the old one."""
    from django.db import DatabaseError, InterfaceError, connection

    def once() -> ResultT:
        try:
            return do()
        except (DatabaseError, InterfaceError):
            connection.close()
            raise

    return patiently(once, DatabaseError, InterfaceError)


# One round ----------------------------------------------------------------------------------------


@dataclass
class Killer:
    """Kills during one phase of a round, in a thread of its own."""

    running: Running
    deck: list[str]
    chance: random.Random
    played: Round

    @contextmanager
    def during(self, phase: str, *, within: float, sending: int | None = None) -> Iterator[None]:
        """Kill two to `running.most` targets at random moments; the first while `in_flight()[sending]` rows are sent."""
        count = self.chance.randint(2, self.running.most)
        problems: list[Exception] = []

        def kill_all() -> None:
            try:
                for number in range(count):
                    if sending is not None and number == 0:
                        self._await_sending(sending)
                        self._kill(self.chance.choice(["worker", self._draw()]), phase)
                    else:
                        time.sleep(self.chance.uniform(0.1, within))
                        self._kill(self._draw(), phase)
            except Exception as problem:
                problems.append(problem)

        thread, began = threading.Thread(target=kill_all), time.monotonic()
        thread.start()
        try:
            yield
        finally:
            thread.join()
            self.played.phases[phase] += round(time.monotonic() - began)
        if problems:
            raise problems[0]

    def _await_sending(self, which: int) -> None:
        deadline = time.monotonic() + 40
        while not self.running.in_flight()[which] and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(self.chance.uniform(0, 0.05))

    def _draw(self) -> str:
        """The next card of a shuffled deck, so that everything has its turn."""
        if not self.deck:
            targets = [each for each in TARGETS if not (self.running.hurry and each == "a child of worker")]
            self.deck.extend(self.chance.sample(targets, len(targets)))
        return self.deck.pop()

    def _kill(self, target: str, phase: str) -> None:
        self.played.kills.append(self.running.kill(target, self.chance, phase=phase))


def play(
    running: Running,
    number: int,
    chance: random.Random,
    deck: list[str],
    *,
    rows: int,
    answers: int,
    bonuses: int | None = None,
) -> Round:
    """Publish, answer, collect and approve one batch under kills, and compare the books twice.

    With `bonuses` it goes on to the end: each row is extended by an answer, which is decided as well, so many answers get a bonus,
    and the batch is closed with its HITs deleted.
    """
    played, began = Round(number), time.monotonic()
    try:
        _play(running, played, Killer(running, deck, chance, played), rows, answers, bonuses)
    except Exception:
        # The rounds after it have their say all the same.
        played.wrong.append(f"came to no end\n{traceback.format_exc()}")
    played.seconds = time.monotonic() - began
    return played


def _play(
    running: Running, played: Round, killer: Killer, rows: int, answers: int, bonuses: int | None
) -> None:
    title = f"Kill round {played.number} {secrets.token_hex(4)}"
    by, batch = query(lambda: make_batch(title, rows, answers))
    if running.hurry:
        running.books.here("update accounts_team set grace_time = interval '0'")
    life = Life(running, killer, by, batch, title, rows)
    life.publish()
    life.answer_and_decide(answers)
    wanted = Wanted(rows, answers)
    if bonuses is not None:
        life.extend()
        life.answer_and_decide(answers + 1)
        life.pay(bonuses)
        life.close()
        wanted = Wanted(rows, answers + 1, bonuses=bonuses, is_closed=True)
    played.wrong += compare(running.books, batch.pk, title, wanted)
    await_sweeps(running, 2)
    played.wrong += [
        f"later: {difference}"
        for difference in compare(running.books, batch.pk, title, wanted)
        if difference not in played.wrong
    ]


@dataclass(frozen=True)
class Life:
    """What is done with one batch, under kills; each step ends when nothing of it is left to be done."""

    running: Running
    killer: Killer
    by: Any
    batch: Any
    title: str
    rows: int

    def publish(self) -> None:
        from projects.actions.batches import publish_batch

        with self.killer.during("publishing", within=3, sending=0):
            query(lambda: publish_batch(self.batch, by=self.by))
            self._wait_for_state("live")

    def answer_and_decide(self, answers: int) -> None:
        """Bring each row to so many answers, and approve what waits."""
        from projects.actions.reviews import decide_many
        from projects.models import Assignment
        from projects.states import AssignmentStatus, Verdict

        ours, total = Assignment.objects.filter(batch=self.batch), self.rows * answers
        with self.killer.during("collecting", within=max(2.0, total / 800)):
            command = [sys.executable, "-m", "bench._answering", self.title, str(answers)]
            subprocess.run(command, env=self.running.marketplace_env, cwd=ROOT, check=True)
            self.running.wait(lambda: ours.count() >= total, f"{total} answers")
        with self.killer.during("deciding", within=3, sending=1):
            query(lambda: decide_many(self.batch, ours, by=self.by, verdict=Verdict.APPROVE))
            self.running.wait(
                lambda: not ours.exclude(status=AssignmentStatus.APPROVED, pending_verdict="").exists(),
                "every answer to be approved",
            )

    # Asked before anything is killed: whoever asks again because no answer came would ask for more.

    def extend(self) -> None:
        """Ask each row for one answer more."""
        from projects.actions.hits import extend_answers

        query(lambda: extend_answers(self.batch, by=self.by, answers=1))
        with self.killer.during("extending", within=3, sending=2):
            self._wait_for_operations()

    def pay(self, bonuses: int) -> None:
        """A bonus for so many answers."""
        from projects.actions.payments import send_bonus
        from projects.models import Assignment, Bonus

        for answer in list(Assignment.objects.filter(batch=self.batch).order_by("pk")[:bonuses]):
            pay = partial(send_bonus, answer, by=self.by, amount=BONUS, reason="Careful work")
            query(lambda paid=answer.bonuses, pay=pay: paid.exists() or pay())
        with self.killer.during("paying", within=2):
            open_ones = Bonus.objects.filter(batch=self.batch).exclude(state="done")
            self.running.wait(lambda: not open_ones.exists(), "every bonus to be paid")

    def close(self) -> None:
        """Expire the HITs, and delete them at the market."""
        from projects.actions.batches import close_batch

        query(lambda: close_batch(self.batch, by=self.by, delete=True))
        with self.killer.during("closing", within=3, sending=2):
            self._wait_for_state("closed")

    def _wait_for_state(self, state: str) -> None:
        from projects.models import Batch

        self.running.wait(
            lambda: Batch.objects.get(pk=self.batch.pk).state == state, f"the batch to be {state}"
        )

    def _wait_for_operations(self) -> None:
        from mturkhub.intentions.models import Operation

        open_ones = Operation.objects.filter(subject_id=self.batch.pk).exclude(
            state__in=["done", "cancelled"]
        )
        self.running.wait(lambda: not open_ones.exists(), "every change of a HIT to be made")


def await_sweeps(running: Running, count: int) -> None:
    """Wait until so many sweeps that begin from now on have come to their ends."""
    from mturkhub.common import clock
    from projects.models import Sweep

    begin = query(clock.now)
    for done in range(1, count + 1):
        running.books.here("update accounts_connection set next_sweep_at = null")
        running.wait(
            lambda wanted=done: Sweep.objects.filter(begun_at__gte=begin, is_complete=True).count() >= wanted,
            "further sweeps",
        )


# All rounds ---------------------------------------------------------------------------------------


@contextmanager
def running_product(folder: Path, *, hurry: bool, most: int) -> Iterator[Running]:
    """The product under this process, which becomes one of the dashboard's."""
    import django

    with product(folder) as (settings, process):
        # Whatever the manager says of the dead must be read, or it would wait for us.
        threading.Thread(target=_copy, args=(process, folder / "manager.txt"), daemon=True).start()
        everything = settings.everything()
        os.environ.update(dashboard(everything))
        django.setup()
        yield Running(
            manager=psutil.Process(process.pid),
            books=Books(everything["DATABASE_URL"], everything["MARKETPLACE_DATABASE_URL"]),
            marketplace_env={**os.environ, **marketplace(everything)},
            hurry=hurry,
            most=most,
        )


def _copy(process: subprocess.Popen[str], path: Path) -> None:
    assert process.stdout
    with path.open("w") as said:
        for line in process.stdout:
            said.write(line)
            said.flush()


def play_rounds(running: Running, count: int, seed: int, *, rows: int, answers: int) -> list[Round]:
    """Play until so many rounds count; gives up when as many again do not."""
    rounds: list[Round] = []
    deck: list[str] = []
    while sum(played.counts for played in rounds) < count and len(rounds) < 2 * count:
        number = len(rounds) + 1
        chance = random.Random(f"{seed} {number}")
        rounds.append(play(running, number, chance, deck, rows=rows, answers=answers))
        print(rounds[-1], flush=True)
    return rounds


def summary(rounds: list[Round], seed: int) -> str:
    """All rounds in a few lines."""
    kills = [kill for played in rounds for kill in played.kills]
    targets = ", ".join(
        f"{target} {count}" for target, count in Counter(k.target for k in kills).most_common()
    )
    wrong = sum(bool(played.wrong) for played in rounds)
    return (
        f"seed {seed}: {len(rounds)} rounds, {sum(played.counts for played in rounds)} count, {wrong} went wrong\n"
        f"{len(kills)} kills: {targets}\n"
        f"in sending at kills: {sum(k.hits for k in kills)} HITs, {sum(k.decisions for k in kills)} decisions, "
        f"{sum(k.operations for k in kills)} operations, {sum(k.bonuses for k in kills)} bonuses"
    )


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench kill-rounds", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="how many rounds have to count (20)")
    parser.add_argument("--seed", type=int, help="what follows from it: targets and moments (fresh)")
    parser.add_argument("--rows", type=int, default=800, help="rows of each round's batch (800)")
    parser.add_argument("--answers", type=int, default=10, help="answers to each row (10)")
    parser.add_argument(
        "--most", type=int, default=4, help="kills in each of the three phases, two at least (4)"
    )
    parser.add_argument("--hurry", action="store_true", help="wait for no lease, grace or pause")
    wish = parser.parse_args(argv)
    seed = wish.seed if wish.seed is not None else secrets.randbelow(10**6)
    print(f"seed {seed}, {wish.rows} rows, {wish.answers} answers each", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="mturkhub-kill-") as folder,
        running_product(Path(folder), hurry=wish.hurry, most=wish.most) as running,
    ):
        rounds = play_rounds(running, wish.rounds, seed, rows=wish.rows, answers=wish.answers)
        print(summary(rounds, seed), flush=True)
    is_well = not any(each.wrong for each in rounds) and sum(each.counts for each in rounds) >= wish.rounds
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

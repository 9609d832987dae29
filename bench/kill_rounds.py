"""Kills parts of the running product at random, again and again, and compares both books after each round.

    python3 dev.py bench kill-rounds --rounds 20 --seed 7 --rows 800

A round publishes a batch, has each row answered ten times, collects and approves in bulk. Meanwhile Celery's
worker, beat, dashboard, marketplace, Valkey and Postgres, as a whole or one child of theirs, get SIGKILL at moments
that follow from the seed. A round counts only if HITs, and later Decisions, were in `sending` at a kill. After
it, and again after two more sweeps: as many HITs as rows and one for each, the same answers on both sides, each
decision made and paid exactly once.

`--hurry` lets the leases of dead senders and sweepers run out at once instead of after a minute or two, rings for what
becomes of them, sends decisions without a grace time and sweeps without a pause. It spares single children of the
worker, since nobody could tell which leases were theirs.
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
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg2

from bench.main_job import product
from mturkhub.command.settings import dashboard, marketplace

ROOT = Path(__file__).resolve().parents[1]
HTML = "<p>${text}</p><form><input name=label required><button>Submit</button></form>"
REWARD = Decimal("0.01")
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
PATIENCE = 600.0
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Kill:
    """One kill: what, in which phase, and how many rows were being sent then."""

    target: str
    phase: str
    hits: int
    decisions: int

    def __str__(self) -> str:
        sending = [
            f"{self.hits} HITs" if self.hits else "",
            f"{self.decisions} decisions" if self.decisions else "",
        ]
        return f"{self.target} ({self.phase}; {', '.join(filter(None, sending)) or 'none'} in sending)"


@dataclass
class Round:
    """What was killed in a round, and each difference between the books, in words."""

    number: int
    kills: list[Kill] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
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
    """The product that runs: its processes and both its databases."""

    manager: psutil.Process
    dashboard_url: str
    marketplace_url: str
    marketplace_env: dict[str, str]
    hurry: bool
    most: int  # kills in one phase

    def ask(self, url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of one statement, committed; asked again while Postgres is on its way back."""
        return patiently(lambda: _execute(url, statement, values), psycopg2.OperationalError)

    def in_flight(self) -> tuple[int, int]:
        """How many HITs and Decisions are being sent."""
        counted = self.ask(
            self.dashboard_url,
            "select (select count(*) from projects_hit where publish_state = 'sending'), "
            "(select count(*) from projects_decision where state = 'sending')",
        )
        return counted[0][0], counted[0][1]

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

    def sweeps_soon(self) -> bool:
        """Have the next sweep begin at once, if in a hurry."""
        if self.hurry:
            self.ask(self.dashboard_url, "update accounts_connection set next_sweep_at = null")
        return True

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
        for table in ("projects_hit", "projects_decision"):
            self.ask(
                self.dashboard_url,
                f"update {table} set lease_until = clock_timestamp() - interval '1 second' where lease_until is not null",
            )
        self.ask(self.dashboard_url, "update accounts_connection set sweep_lease_until = null")
        from mturkhub.intentions.claiming import ring
        from projects.tasks import settle_unknown

        query(lambda: ring(settle_unknown))


def _execute(url: str, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def patiently(do: Callable[[], ResultT], *errors: type[Exception]) -> ResultT:
    """The result, tried again for a minute while one of these errors comes."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return do()
        except errors:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


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
    kills: list[Kill]

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

        thread = threading.Thread(target=kill_all)
        thread.start()
        try:
            yield
        finally:
            thread.join()
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
        self.kills.append(self.running.kill(target, self.chance, phase=phase))


def play(
    running: Running, number: int, chance: random.Random, deck: list[str], *, rows: int, answers: int
) -> Round:
    """Publish, answer, collect and approve one batch under kills, and compare the books twice."""
    from projects.actions.batches import publish_batch
    from projects.actions.reviews import decide_many
    from projects.models import Assignment, Batch
    from projects.states import AssignmentStatus, Verdict

    began = time.monotonic()
    played = Round(number)
    killer = Killer(running, deck, chance, played.kills)
    title = f"Kill round {number} {secrets.token_hex(4)}"
    by, batch = query(lambda: make_batch(title, rows, answers))
    if running.hurry:
        running.ask(running.dashboard_url, "update accounts_team set grace_time = interval '0'")
    ours = Assignment.objects.filter(batch=batch)

    with killer.during("publishing", within=3, sending=0):
        query(lambda: publish_batch(batch, by=by))
        wait(lambda: Batch.objects.get(pk=batch.pk).state == "live", "the batch to be live")
    with killer.during("collecting", within=max(2.0, rows * answers / 800)):
        command = [sys.executable, "-m", "bench._answering", title, str(answers)]
        subprocess.run(command, env=running.marketplace_env, cwd=ROOT, check=True)
        wait(lambda: running.sweeps_soon() and ours.count() >= rows * answers, f"{rows * answers} answers")
    with killer.during("deciding", within=3, sending=1):
        query(lambda: decide_many(batch, ours, by=by, verdict=Verdict.APPROVE))
        wait(
            lambda: not ours.exclude(status=AssignmentStatus.APPROVED, pending_verdict="").exists(),
            "every answer to be approved",
        )
    played.wrong = compare(running, batch.pk, title, rows=rows, answers=answers)
    await_sweeps(running, 2)
    played.wrong += [
        f"later: {difference}"
        for difference in compare(running, batch.pk, title, rows=rows, answers=answers)
        if difference not in played.wrong
    ]
    played.seconds = time.monotonic() - began
    return played


def make_batch(title: str, rows: int, answers: int) -> tuple[Any, Any]:
    """The owner as an Actor, and a draft of so many rows."""
    from mturkhub.accounts.actors import Actor
    from mturkhub.accounts.models import Connection, Membership
    from projects.actions.projects import create_project, save_template
    from projects.actions.uploads import create_batch, upload_file

    membership = Membership.objects.select_related("team", "user").filter(role="owner").order_by("pk")[0]
    by = Actor.person(membership)
    project = create_project(
        membership.team,
        by=by,
        name=title,
        title=title,
        description="Label the text.",
        reward=REWARD,
        max_assignments=answers,
    )
    save_template(project, HTML, by=by)
    file = "text\n" + "".join(f"text {number}\n" for number in range(rows))
    upload = upload_file(project, by=by, name="items.csv", chunks=[file.encode()])
    return by, create_batch(upload, by=by, connection=Connection.objects.get(environment="local"))


def wait(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not query(done):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {PATIENCE:.0f} s for {what}.")
        time.sleep(0.3)


def await_sweeps(running: Running, count: int) -> None:
    """Wait until so many sweeps that begin from now on have come to their ends."""
    from mturkhub.common import clock
    from projects.models import Sweep

    begin = query(clock.now)
    for done in range(1, count + 1):
        running.ask(running.dashboard_url, "update accounts_connection set next_sweep_at = null")
        wait(
            lambda wanted=done: (
                running.sweeps_soon()
                and Sweep.objects.filter(begun_at__gte=begin, is_complete=True).count() >= wanted
            ),
            "further sweeps",
        )


# The books ----------------------------------------------------------------------------------------


def compare(running: Running, batch_key: int, title: str, *, rows: int, answers: int) -> list[str]:
    """Each difference between what was wanted, what the marketplace has and what the dashboard has, in words."""

    def here(statement: str) -> list[tuple[Any, ...]]:
        return running.ask(running.dashboard_url, statement, batch_key)

    def there(statement: str) -> list[tuple[Any, ...]]:
        return running.ask(running.marketplace_url, statement, title)

    of_title = "join marketplace_hittype t on t.id = h.hit_type_id where t.title = %s"
    hits_there = there(f"select h.mturk_id, h.requester_annotation from marketplace_hit h {of_title}")
    hits_here = here("select mturk_id, public_id::text, row_id from projects_hit where batch_id = %s")
    named = {mturk_id: annotation.split("/")[-1].rstrip(";") for mturk_id, annotation in hits_there}
    answers_there = there(
        "select a.mturk_id, a.answer, a.state, a.was_auto_approved from marketplace_assignment a "
        f"join marketplace_hit h on h.id = a.hit_id {of_title}"
    )
    answers_here = here(
        "select a.mturk_id, x.raw_xml, a.status from projects_assignment a "
        "join projects_assignmentanswer x on x.assignment_id = a.id where a.batch_id = %s"
    )
    decisions = here(
        "select a.mturk_id, d.state, d.verdict from projects_decision d "
        "join projects_assignment a on a.id = d.assignment_id where a.batch_id = %s"
    )
    moves = there(
        "select a.mturk_id, e.source, e.target, e.amount from marketplace_ledgerentry e "
        "join marketplace_hit h on h.id = e.hit_id "
        f"left join marketplace_assignment a on a.id = e.assignment_id {of_title}"
    )
    total = rows * answers
    fee = REWARD  # the least there is is one cent
    sums = Counter[tuple[str, str]]()
    payments = Counter[tuple[str, str]]()
    for assignment, source, target, amount in moves:
        sums[source, target] += amount
        if target in ("workers", "fees"):
            payments[assignment, target] += 1
    counters = here(
        "select rows_decided, answers_approved, answers_submitted, rows_failed, rows_not_published, state "
        "from projects_batch where id = %s"
    )[0]
    checks = {
        f"{len(hits_there)} HITs at the marketplace": len(hits_there) == rows,
        f"{len(hits_here)} HITs here": len(hits_here) == rows == len({row for _, _, row in hits_here}),
        "HITs and rows do not match one to one": {(hit, name) for hit, name, _ in hits_here}
        == set(named.items()),
        f"{len(answers_there)} answers at the marketplace": len(answers_there) == total,
        "the answers differ": sorted((each, xml) for each, xml, _ in answers_here)
        == sorted((each, xml) for each, xml, _, _ in answers_there),
        "not each is approved there, by us": {(state, auto) for _, _, state, auto in answers_there}
        == {("approved", False)},
        "not each is approved here": {status for _, _, status in answers_here} == {"Approved"},
        f"{len(decisions)} decisions": len(decisions) == total == len({each for each, _, _ in decisions}),
        f"decisions are {Counter(decision[1:] for decision in decisions)}": {
            decision[1:] for decision in decisions
        }
        == {("done", "approve")},
        "a payment is missing or doubled": set(payments.values()) == {1} and len(payments) == 2 * total,
        f"the ledger says {dict(sums)}": dict(sums)
        == {
            ("available", "held"): (REWARD + fee) * total,
            ("held", "workers"): REWARD * total,
            ("held", "fees"): fee * total,
        },
        f"the batch counts {counters}": counters == (rows, total, 0, 0, 0, "live"),
        "the balance is not what the ledger adds up to": not running.ask(running.marketplace_url, UNBALANCED),
    }
    return [difference for difference, is_right in checks.items() if not is_right]


UNBALANCED = """
select b.requester_id from marketplace_balance b join marketplace_ledgerentry e on e.requester_id = b.requester_id
group by b.requester_id, b.available, b.held having
    b.available <> sum(case 'available' when e.target then e.amount when e.source then -e.amount else 0 end)
    or b.held <> sum(case 'held' when e.target then e.amount when e.source then -e.amount else 0 end)
"""


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
            dashboard_url=everything["DATABASE_URL"],
            marketplace_url=everything["MARKETPLACE_DATABASE_URL"],
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
        f"in sending at kills: {sum(k.hits for k in kills)} HITs, {sum(k.decisions for k in kills)} decisions"
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

"""What the dashboard and the marketplace say of a batch, each in its own database, and where they differ."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

import psycopg2

from bench._batches import REWARD

BONUS = Decimal("0.05")
Rows = list[tuple[Any, ...]]
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Books:
    """Both databases. A statement is committed, and asked again while Postgres is on its way back."""

    dashboard_url: str
    marketplace_url: str

    def here(self, statement: str, *values: object) -> Rows:
        """What the dashboard's database answers."""
        return _ask(self.dashboard_url, statement, values)

    def there(self, statement: str, *values: object) -> Rows:
        """What the marketplace's database answers."""
        return _ask(self.marketplace_url, statement, values)


def _ask(url: str, statement: str, values: tuple[object, ...]) -> Rows:
    gone = (psycopg2.OperationalError, psycopg2.InterfaceError)
    return patiently(lambda: _execute(url, statement, values), *gone)


def _execute(url: str, statement: str, values: tuple[object, ...]) -> Rows:
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


@dataclass(frozen=True)
class Wanted:
    """What a batch must have come to: so many rows and answers to each, all approved, and so many bonuses."""

    rows: int
    answers: int
    bonuses: int = 0
    is_closed: bool = False


def compare(books: Books, batch_key: int, title: str, wanted: Wanted) -> list[str]:
    """Each difference between what was wanted, what the marketplace has and what the dashboard has, in words."""

    def here(statement: str) -> Rows:
        return books.here(statement, batch_key)

    def there(statement: str) -> Rows:
        return books.there(statement, title)

    rows, total, bonuses = wanted.rows, wanted.rows * wanted.answers, wanted.bonuses
    of_title = "join marketplace_hittype t on t.id = h.hit_type_id where t.title = %s"
    hits_there = there(
        f"select h.mturk_id, h.requester_annotation, h.disposed_at is not null from marketplace_hit h {of_title}"
    )
    hits_here = here(
        "select mturk_id, public_id::text, row_id, hit_status = 'Disposed' from projects_hit where batch_id = %s"
    )
    named = {mturk_id: annotation.split("/")[-1].rstrip(";") for mturk_id, annotation, _ in hits_there}
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
    bonuses_here = here(
        "select a.mturk_id, b.amount, b.state from projects_bonus b "
        "join projects_assignment a on a.id = b.assignment_id where b.batch_id = %s"
    )
    bonuses_there = there(
        "select a.mturk_id, b.amount, 'done' from marketplace_bonus b join marketplace_assignment a "
        f"on a.id = b.assignment_id join marketplace_hit h on h.id = a.hit_id {of_title}"
    )
    moves = there(
        "select a.mturk_id, e.source, e.target, e.amount from marketplace_ledgerentry e "
        "join marketplace_hit h on h.id = e.hit_id "
        f"left join marketplace_assignment a on a.id = e.assignment_id {of_title}"
    )
    fee = REWARD  # the least there is is one cent
    bonus_fee = BONUS / 5
    sums = Counter[tuple[str, str]]()
    payments = Counter[tuple[str, str, str]]()
    for assignment, source, target, amount in moves:
        sums[source, target] += amount
        if target in ("workers", "fees"):
            payments[assignment, source, target] += 1
    expected = {
        ("available", "held"): (REWARD + fee) * total,
        ("held", "workers"): REWARD * total,
        ("held", "fees"): fee * total,
        ("available", "workers"): BONUS * bonuses,
        ("available", "fees"): bonus_fee * bonuses,
    }
    state = "closed" if wanted.is_closed else "live"
    counters = here(
        "select rows_decided, answers_approved, answers_submitted, rows_failed, rows_not_published, state "
        "from projects_batch where id = %s"
    )[0]
    spent = here("select committed, paid from projects_batch where id = %s")[0]
    entered = dict(
        here("select kind, sum(amount) from projects_ledgerentry where batch_id = %s group by kind")
    )
    cost = (REWARD + fee) * total + (BONUS + bonus_fee) * bonuses
    checks = {
        f"{len(hits_there)} HITs at the marketplace": len(hits_there) == rows,
        f"{len(hits_here)} HITs here": len(hits_here) == rows == len({row for _, _, row, _ in hits_here}),
        "HITs and rows do not match one to one": {(hit, name) for hit, name, _, _ in hits_here}
        == set(named.items()),
        "HITs are deleted that should not be, or not all that should": {
            hit[-1] for hit in hits_there + hits_here
        }
        == {wanted.is_closed},
        f"{len(answers_there)} answers at the marketplace": len(answers_there) == total,
        "the answers differ": sorted((each, xml) for each, xml, _ in answers_here)
        == sorted((each, xml) for each, xml, _, _ in answers_there),
        "not each is approved there, by us": {(each, auto) for _, _, each, auto in answers_there}
        == {("approved", False)},
        "not each is approved here": {status for _, _, status in answers_here} == {"Approved"},
        f"{len(decisions)} decisions": len(decisions) == total == len({each for each, _, _ in decisions}),
        f"decisions are {Counter(decision[1:] for decision in decisions)}": {
            decision[1:] for decision in decisions
        }
        == {("done", "approve")},
        f"{len(bonuses_here)} bonuses here, {len(bonuses_there)} at the marketplace": len(bonuses_here)
        == bonuses
        and sorted(bonuses_here) == sorted(bonuses_there),
        "a payment is missing or doubled": set(payments.values()) == {1}
        and len(payments) == 2 * (total + bonuses),
        f"the ledger says {dict(sums)}": dict(sums)
        == {move: each for move, each in expected.items() if each},
        f"the batch counts {counters}": counters == (rows, total, 0, 0, 0, state),
        f"the batch has committed and paid {spent}": spent == (0, cost),
        f"our ledger says {entered}": entered.get("paid") == cost
        and entered.get("held", 0) - entered.get("released", 0) == cost,
        "the balance is not what the ledger adds up to": not books.there(UNBALANCED),
    }
    return [difference for difference, is_right in checks.items() if not is_right]


UNBALANCED = """
select b.requester_id from marketplace_balance b join marketplace_ledgerentry e on e.requester_id = b.requester_id
group by b.requester_id, b.available, b.held having
    b.available <> sum(case 'available' when e.target then e.amount when e.source then -e.amount else 0 end)
    or b.held <> sum(case 'held' when e.target then e.amount when e.source then -e.amount else 0 end)
"""

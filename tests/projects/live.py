"""A live batch on a market in memory, for tests of what happens afterwards."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mturkhub.accounts.models import Connection
from mturkhub.common import clock
from projects.actions.batches import publish_batch
from projects.collecting import sweep
from projects.ending import end
from projects.models import HIT, Assignment, Batch, Sweep
from projects.operating import send_operations
from projects.publishing import publish_chunk
from projects.sending import send_decisions
from tests.conftest import Person
from tests.factories import BatchFactory, ProjectFactory
from tests.fakes.mturk import FakeMTurk


@dataclass
class Live:
    """The batch, the market it is on, and what happens to both."""

    batch: Batch
    connection: Connection
    market: FakeMTurk

    @property
    def hits(self) -> list[HIT]:
        return list(HIT.objects.filter(batch=self.batch).order_by("row__number", "round"))

    @property
    def answers(self) -> list[Assignment]:
        return list(Assignment.objects.filter(batch=self.batch).order_by("pk"))

    def hit_id(self, row: int = 1) -> str:
        """MTurk's id of a row's HIT."""
        return str(HIT.objects.get(batch=self.batch, row__number=row, round=0).mturk_id)

    def submit(self, workers: Iterable[str] = ("AWANDA",), *, row: int = 1, **fields: str) -> list[str]:
        """These Workers answer a row; their AssignmentIds."""
        return [
            self.market.submit(self.hit_id(row), worker, fields or {"sentiment": "7"}) for worker in workers
        ]

    def collect(self) -> Sweep:
        done = sweep(self.connection, gateway=self.market)
        assert done is not None
        assert done.is_complete, done.problem
        return done

    def collect_one(self, **fields: str) -> Assignment:
        """One Worker answers the first row, and the answer is here."""
        [assignment_id] = self.submit(**fields)
        self.collect()
        return Assignment.objects.get(mturk_id=assignment_id)

    def send(self) -> None:
        send_decisions(self.connection, gateway=self.market)

    def operate(self) -> None:
        """Send what waits to be changed in HITs."""
        send_operations(self.connection, gateway=self.market)

    def step(self) -> Batch:
        """What goes on by itself in a while: the batch goes a step towards its end, changes are sent, all is collected."""
        end(self.batch)
        self.operate()
        self.collect()
        self.batch.refresh_from_db()
        return self.batch

    def later(self, **duration: float) -> None:
        """Time passes here and at MTurk."""
        clock.advance(timedelta(**duration))
        self.market.advance(timedelta(**duration))

    def fetches(self) -> int:
        return self.market.calls["ListAssignmentsForHIT"]


def make_live(
    by: Person, connection: Connection, market: FakeMTurk, *, rows: int = 2, **properties: Any
) -> Live:
    """A batch of so many rows, three answers each, published on the market."""
    project = ProjectFactory(team=by.team, created_by=by.user, approval=properties.pop("approval", "by_hand"))
    batch = publish_batch(
        BatchFactory(project=project, connection=connection, rows=rows, **properties), by=by.actor
    )
    publish_chunk(batch, gateway=market)
    batch.refresh_from_db()
    return Live(batch, connection, market)

"""What the tests of projects share: a market in memory, bells nobody hears, and decisions due at once."""

from datetime import timedelta

import pytest

from mturkhub.accounts.models import Connection, Team
from mturkhub.intentions import claiming
from tests.conftest import Person
from tests.fakes.mturk import FakeMTurk
from tests.projects.live import Live, make_live


@pytest.fixture
def market() -> FakeMTurk:
    return FakeMTurk()


@pytest.fixture(autouse=True)
def bells(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks rung for. No Celery listens here: tests call the background functions themselves."""
    rung: list[str] = []
    monkeypatch.setattr(claiming, "_ring_now", lambda task, keys, at: rung.append(task.name))
    return rung


@pytest.fixture
def no_grace(team: Team) -> None:
    """Decisions are due as soon as they are made."""
    team.grace_time = timedelta(0)
    team.save()


@pytest.fixture
def live(mina: Person, connection: Connection, market: FakeMTurk) -> Live:
    """A live batch of two rows, three answers each, on the market in memory."""
    return make_live(mina, connection, market)

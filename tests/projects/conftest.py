"""What the tests of projects share: a market in memory, bells nobody hears, and decisions due at once."""

from datetime import timedelta

import pytest

from mturkhub.accounts.models import Team
from mturkhub.intentions import claiming
from tests.fakes.mturk import FakeMTurk


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

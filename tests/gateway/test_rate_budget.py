"""One rate budget for all hosts: lanes, shares, and a rate that finds the endpoint's limit. Time is the test's own."""

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from django.conf import settings

from mturkhub.gateway.client import MTurkGateway
from mturkhub.gateway.errors import MTurkError
from mturkhub.gateway.rate_budget import SHARES, START, Lane, Pace, RateBudget
from tests.servers import free_ports

STEP = 0.05


@dataclass
class Endpoint:
    """An endpoint with a limit, and callers of several lanes who each want so many calls a second."""

    limit: float = 1e9
    now: float = 1_800_000_000.0
    calls: Counter[Lane] = field(default_factory=Counter)
    throttled: int = 0
    _room: float = 1.0

    def __post_init__(self) -> None:
        self.name = uuid.uuid4().hex
        self.budget = RateBudget(settings.REDIS_URL, now=lambda: self.now)

    def run(self, seconds: float, wanted: Mapping[Lane, int]) -> Counter[Lane]:
        """Calls that were answered in this time, by lane; of each lane at most so many a second are wanted."""
        before = self.calls.copy()
        waiting: Counter[Lane] = Counter()
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            self._room = min(max(1.0, self.limit / 10), self._room + self.limit * STEP)
            for lane, rate in wanted.items():
                waiting[lane] = min(rate, waiting[lane] + rate * STEP)
                if waiting[lane] >= 1:
                    waiting[lane] -= self._send(lane, int(waiting[lane]))
        return self.calls - before

    def _send(self, lane: Lane, wanted: int) -> int:
        grant = self.budget.take(self.name, lane, wanted)
        for _ in range(grant.calls):
            if self._room >= 1:
                self._room -= 1
                self.calls[lane] += 1
            else:
                self.throttled += 1
                self.budget.cut(self.name, grant.generation)
        return grant.calls


# Finding the limit -------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [5, 50, 300])
def test_it_finds_the_limit_and_stays_close_below_it(limit: int) -> None:
    endpoint = Endpoint(limit=limit)

    done = endpoint.run(60, {Lane.CREATING: 2 * limit + 50})

    assert done[Lane.CREATING] >= 0.9 * 60 * limit
    assert endpoint.throttled <= 25 + 0.02 * done[Lane.CREATING]


def test_without_a_limit_it_is_fast_within_seconds() -> None:
    endpoint = Endpoint()
    endpoint.run(5, {Lane.CREATING: 2000})

    assert endpoint.run(1, {Lane.CREATING: 2000})[Lane.CREATING] > 400


def test_it_follows_a_limit_that_falls_and_rises_again() -> None:
    endpoint = Endpoint(limit=200)
    endpoint.run(20, {Lane.CREATING: 500})

    endpoint.limit = 20
    endpoint.run(10, {Lane.CREATING: 500})
    low = endpoint.run(30, {Lane.CREATING: 500})[Lane.CREATING]
    endpoint.limit = 200
    endpoint.run(45, {Lane.CREATING: 500})
    high = endpoint.run(20, {Lane.CREATING: 500})[Lane.CREATING]

    assert 0.85 * 20 * 30 <= low <= 1.02 * 20 * 30
    assert high >= 0.85 * 200 * 20


def test_calls_that_were_on_their_way_together_slow_it_down_once() -> None:
    endpoint = Endpoint()
    grant = endpoint.budget.take(endpoint.name, Lane.CREATING, 3)

    assert [endpoint.budget.cut(endpoint.name, grant.generation) for _ in range(3)] == [True, False, False]
    assert endpoint.budget.rate(endpoint.name) == pytest.approx(0.8 * START)


def test_an_idle_budget_does_not_grow() -> None:
    endpoint = Endpoint()

    endpoint.run(60, {Lane.CREATING: 5})

    assert endpoint.budget.rate(endpoint.name) == START


# Lanes -------------------------------------------------------------------------------------------


def test_what_a_lane_leaves_is_the_others() -> None:
    endpoint = Endpoint(limit=100)
    endpoint.run(20, {Lane.CREATING: 300})

    done = endpoint.run(20, {Lane.DECIDING: 10, Lane.CREATING: 300})

    assert done[Lane.DECIDING] >= 198
    assert done[Lane.CREATING] >= 0.8 * 20 * 100


def test_each_lane_has_its_share_when_all_want_more_than_there_is() -> None:
    endpoint = Endpoint(limit=100)
    everybody = {Lane.CREATING: 300, Lane.COLLECTING: 300, Lane.DECIDING: 300}
    endpoint.run(20, everybody)

    done = endpoint.run(20, everybody)

    for lane, share in SHARES.items():
        assert done[lane] / done.total() == pytest.approx(share, abs=0.05), lane


def test_a_higher_lane_has_what_another_leaves() -> None:
    endpoint = Endpoint(limit=100)
    both = {Lane.CREATING: 300, Lane.DECIDING: 300}
    endpoint.run(20, both)

    done = endpoint.run(20, both)

    # Its half, and the share of collecting, which wants nothing.
    assert done[Lane.DECIDING] / done.total() == pytest.approx(0.8, abs=0.05)


def test_a_decision_finds_room_at_once_while_creating_wants_everything() -> None:
    endpoint = Endpoint(limit=50)
    endpoint.run(20, {Lane.CREATING: 300})

    assert endpoint.budget.take(endpoint.name, Lane.DECIDING).calls == 1


def test_somebody_who_waits_for_a_balance_is_never_held_up() -> None:
    endpoint = Endpoint(limit=2)
    endpoint.run(5, {Lane.DECIDING: 300, Lane.CREATING: 300})

    assert [endpoint.budget.take(endpoint.name, Lane.ASKING).calls for _ in range(20)] == [1] * 20


# As a gateway uses it ----------------------------------------------------------------------------


def test_calls_bought_ahead_are_made_without_asking_again() -> None:
    endpoint = Endpoint()
    pace = Pace(endpoint.budget, endpoint.name, Lane.CREATING)

    bought = pace.buy(3)
    for _ in range(bought):
        pace.enter("CreateHITWithHITType")

    assert bought == 2, "what a fresh budget has: a call of the lane's, and a spare one"
    assert pace.buy(3) == 0, "time stands still, so there is room for nobody"


def test_two_hosts_share_one_budget() -> None:
    endpoint = Endpoint()
    other = RateBudget(settings.REDIS_URL, now=lambda: endpoint.now)

    first = endpoint.budget.take(endpoint.name, Lane.CREATING, 1000).calls

    assert first == 2
    assert other.take(endpoint.name, Lane.CREATING, 1000).calls == 0
    assert other.take(uuid.uuid4().hex, Lane.CREATING, 1000).calls == 2, "another connection has its own"


def nobody(lane: Lane) -> MTurkGateway:
    """A gateway whose Redis is away, to an endpoint that is away."""
    redis_port, port = free_ports(2)
    pace = Pace(RateBudget(f"redis://127.0.0.1:{redis_port}/0"), "any", lane)
    return MTurkGateway(f"http://127.0.0.1:{port}", "AKIANOBODY", "secret", pace=pace)


@pytest.mark.parametrize("lane", list(SHARES))
def test_without_redis_nothing_is_sent_and_a_sentence_says_so(lane: Lane) -> None:
    with pytest.raises(MTurkError, match=r"Redis.*Nothing is sent until it is back") as caught:
        nobody(lane).get_hit("3HIT")
    with pytest.raises(MTurkError, match="Redis"):
        nobody(lane).buy_calls(5)

    assert not caught.value.may_have_happened
    assert caught.value.retry_can_help


def test_without_redis_a_person_can_still_test_a_connection() -> None:
    with pytest.raises(MTurkError, match="cannot be reached") as caught:
        nobody(Lane.ASKING).get_account_balance()

    assert caught.value.kind == "ConnectionFailed"

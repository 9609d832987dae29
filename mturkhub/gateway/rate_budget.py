"""How many calls a second a Connection may make: one budget in Redis for all hosts, in lanes.

Nobody sets the rate. It doubles each second until the endpoint throttles a call, is cut then, by a tenth or a fifth, and
grows by a fiftieth a second while somebody has to wait, faster after a while: so it finds the endpoint's limit, and finds
it again once that has changed. Redis gone, nothing is sent.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import redis
from django.conf import settings

from mturkhub.common.broker import client
from mturkhub.gateway.errors import MTurkError

log = logging.getLogger(__name__)


class Lane(IntEnum):
    """Who goes first; what a lane leaves of its share is the next one's."""

    ASKING = 0  # a person waits for the answer to one call: it is counted, and never held up
    DECIDING = 1  # decisions, bonuses and whatever else a person wants done
    COLLECTING = 2
    CREATING = 3


# The part of the rate that each lane has whatever the others want.
SHARES = {Lane.DECIDING: 0.5, Lane.COLLECTING: 0.3, Lane.CREATING: 0.2}

# Calls a second, where nothing is known of the endpoint yet, and at least and at most.
START, LEAST, MOST = 20.0, 1.0, 1000.0
# Seconds of full speed without a throttled call after which the rate grows faster and faster.
LONG = 12.0
# After a cut nothing is left over for so many seconds, and for so many a throttled call counts as an echo.
PAUSE, RECOVERY = 0.1, 0.3
# Seconds of calls that may be saved up, in a lane and of what all lanes leave: a worker's break between two turns.
SAVED = 0.5
# Seconds for which a lane that had to wait keeps the lower ones from what is left over.
WAITING = 0.5

# A call that finds no room waits so long at most; its row's lease still covers it then (see intentions/claiming.py).
PATIENCE = 5.0
# Calls bought together wait so long for the first of them; whoever buys them has answers to store meanwhile.
PATIENCE_AHEAD = 0.25
_LONGEST_NAP = 0.1

_STATE = f"""
local now = tonumber(ARGV[1])
if not now then
    local time = redis.call('TIME')
    now = time[1] + time[2] / 1000000
end
local held = {{}}
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do held[flat[i]] = tonumber(flat[i + 1]) end
local rate, generation = held.rate or {START}, held.generation or 0
local function keep(...)
    redis.call('HSET', KEYS[1], ...)
    redis.call('EXPIRE', KEYS[1], 86400)
end
"""

# Lane and wanted calls → how many may be made now, milliseconds until it is worth asking again, generation.
_TAKE = f"""
{_STATE}
local lane, wanted = tonumber(ARGV[2]), tonumber(ARGV[3])
local shares = {{ {", ".join(str(share) for share in SHARES.values())} }}
local passed = math.max(0, now - (held.at or now))
local spare, bucket = held.spare or 1, {{}}
for i, share in ipairs(shares) do
    local most = math.max(1, rate * share * {SAVED})
    local filled = (held['lane' .. i] or 1) + rate * share * passed
    bucket[i] = math.min(filled, most)
    spare = spare + filled - bucket[i]
end
spare = math.min(spare, math.max(1, rate * {SAVED}))

local granted = wanted
if lane == 0 then
    spare = math.max(spare - wanted, -rate)
else
    local usable = spare
    for i = 1, lane - 1 do
        if now - (held['waiting' .. i] or 0) < {WAITING} then usable = math.min(usable, 0) end
    end
    granted = math.max(0, math.min(wanted, math.floor(bucket[lane] + usable + 0.000001)))
    local own = math.min(granted, bucket[lane])
    bucket[lane] = bucket[lane] - own
    spare = spare - (granted - own)
end

local limit, quiet = held.limit or 0, held.quiet or 0
if granted < wanted then
    keep('waiting' .. lane, string.format('%.6f', now))
    local grown = math.min(1, passed)
    quiet = quiet + grown
    local step = 0.7 * rate  -- twice as fast each second
    if limit > 0 then
        -- Nobody throttled for long: what we took for the limit is none any more, so look for it in longer steps.
        step = math.min(step, math.max(0.05, limit / 50) * 2 ^ math.max(0, (quiet - {LONG}) / 2))
    end
    rate = math.min({MOST}, rate + step * grown)
end
keep('at', string.format('%.6f', now), 'rate', rate, 'spare', spare, 'limit', limit, 'quiet', quiet,
    'lane1', bucket[1], 'lane2', bucket[2], 'lane3', bucket[3])
local nap = 1000 * (1 - bucket[lane == 0 and 1 or lane]) / rate
return {{ granted, math.ceil(math.max(0, nap)), generation }}
"""

# A throttled call, and the generation it was allowed in: calls that were on their way at a cut do not cut again.
_CUT = f"""
{_STATE}
local since = now - (held.cut_at or 0)
if tonumber(ARGV[2]) ~= generation or since < {RECOVERY} then return 0 end
local factor = 0.9
-- Found in long steps, or not met by the last cut: it may be far below.
if (held.limit or 0) == 0 or (held.quiet or 0) > {LONG} or since < 2 then factor = 0.8 end
local limit = math.max({LEAST}, rate * factor)
keep('rate', limit, 'limit', limit, 'generation', generation + 1, 'cut_at', string.format('%.6f', now), 'quiet', 0,
    'at', string.format('%.6f', now), 'spare', -limit * {PAUSE})
return 1
"""


@dataclass(frozen=True)
class Grant:
    """How many calls may be made now, seconds until it is worth asking again, and which cut this comes after."""

    calls: int
    nap: float
    generation: int


class RateBudget:
    """All budgets of one Redis. `now` replaces its clock in tests."""

    def __init__(self, url: str, *, prefix: str = "", now: Callable[[], float | str] = lambda: "") -> None:
        self._redis = client(url)
        self._prefix = prefix
        self._take = self._redis.register_script(_TAKE)
        self._cut = self._redis.register_script(_CUT)
        self._now = now

    def take(self, name: str, lane: Lane, wanted: int = 1) -> Grant:
        """As many of the wanted calls as there is room for; raises redis.RedisError."""
        calls, nap, generation = self._take([self._key(name)], [self._now(), int(lane), wanted])
        return Grant(calls, nap / 1000, generation)

    def cut(self, name: str, generation: int) -> bool:
        """Slow down, since a call of this generation was throttled; False where that has been done already."""
        return bool(self._cut([self._key(name)], [self._now(), generation]))

    def rate(self, name: str) -> float:
        """Calls a second, as they stand."""
        found = self._redis.hget(self._key(name), "rate")
        return float(found) if found else START

    def _key(self, name: str) -> str:
        return f"{self._prefix}mturkhub-rate:{name}"


@cache
def rate_budget() -> RateBudget:
    """The budgets of this installation."""
    return RateBudget(settings.REDIS_URL, prefix=settings.CELERY_QUEUE_PREFIX)


class Pace:
    """One Connection's calls in one lane, as one gateway makes them; safe to share between threads."""

    def __init__(self, budget: RateBudget, name: str, lane: Lane) -> None:
        self._budget, self._name, self.lane = budget, name, lane
        self._bought: deque[int] = deque()
        self._lock = threading.Lock()

    def buy(self, wanted: int) -> int:
        """Buy up to so many calls ahead; returns how many can be made now without waiting, perhaps none yet.

        Raises MTurkError when Redis is away.
        """
        with self._lock:
            missing = wanted - len(self._bought)
        if missing > 0:
            grant = self._wait_for(missing, PATIENCE_AHEAD)
            with self._lock:
                self._bought.extend([grant.generation] * grant.calls)
        with self._lock:
            return min(wanted, len(self._bought))

    def enter(self, operation: str) -> int:
        """Wait for a call's turn, unless it was bought ahead; returns its generation, for `throttled`.

        Raises MTurkError, with nothing sent, when Redis is away or others go first for too long.
        """
        with self._lock:
            if self._bought:
                return self._bought.popleft()
        grant = self._wait_for(1, PATIENCE, operation)
        if not grant.calls:
            raise _not_sent(
                operation, "OthersFirst", "Other calls of this connection go first; this one is made later."
            )
        return grant.generation

    def throttled(self, generation: int) -> None:
        """The endpoint wants us to slow down."""
        try:
            if self._budget.cut(self._name, generation):
                log.info("Throttled: %.1f calls a second from now on", self._budget.rate(self._name))
        except (redis.RedisError, OSError):
            pass  # Then nothing more is sent anyway.

    def _wait_for(self, wanted: int, patience: float, operation: str = "") -> Grant:
        deadline = time.monotonic() + patience
        while True:
            try:
                grant = self._budget.take(self._name, self.lane, wanted)
            except (redis.RedisError, OSError) as error:
                if self.lane == Lane.ASKING:
                    return Grant(wanted, 0, 0)
                raise _not_sent(operation, "NoRateBudget", _REDIS_AWAY, details=str(error)) from None
            left = deadline - time.monotonic()
            if grant.calls or left <= 0:
                return grant
            # Several calls at a time are worth a longer nap than the next one.
            nap = grant.nap if wanted == 1 else _LONGEST_NAP
            time.sleep(min(left, max(0.01, min(nap, _LONGEST_NAP))))


_REDIS_AWAY = (
    "Redis, which keeps count of the calls of this connection, cannot be reached (REDIS_URL). Nothing is sent until "
    "it is back; it goes on by itself then."
)


def _not_sent(operation: str, kind: str, sentence: str, details: str = "") -> MTurkError:
    return MTurkError(
        operation=operation,
        kind=kind,
        code="",
        sentence=sentence,
        details=details,
        may_have_happened=False,
        retry_can_help=True,
    )

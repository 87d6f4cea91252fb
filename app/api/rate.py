"""How often one caller may ask."""

import math
from asyncio import Future
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING

from cachetools import TLRUCache
from limits import RateLimitItem, parse

if TYPE_CHECKING:
    from app.serving.redis_link import RedisLink

CALLERS = 100_000
"""Most callers whose requests are counted; of more, those that were not seen for longest start anew."""

Window = tuple[int, float]
"""Requests so far, and the time at which counting starts anew."""

_COUNT = """
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[1])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {count, left}
"""


class RateLimit:
    """A limit such as ``600/minute``. Raises ValueError if it cannot be read; empty means no limit.

    With `redis` all replicas count together, and each remembers the last count that it heard: it goes on from there
    where Redis does not answer, and does not ask again for a caller who has to wait. Up to half of the limit a request
    does not wait for the common count, which comes after it.
    """

    def __init__(self, limit: str, redis: "RedisLink | None" = None) -> None:
        self._limit, self._redis = _parse(limit) if limit else None, redis
        self._windows: TLRUCache[str, Window] = TLRUCache(
            CALLERS, ttu=lambda caller, window, now: window[1], timer=monotonic
        )

    async def wait(self, caller: str) -> int:
        """Count a request. Seconds until the next is let in, 0 where this one is."""
        if self._limit is None:
            return 0
        count, ends = self._windows.get(caller) or (0, monotonic() + self._limit.get_expiry())
        if count <= self._limit.amount:
            count += 1
            self._windows[caller] = count, ends
            if self._redis:
                counted = self._count_together(self._redis, self._limit, caller)
                if 2 * count > self._limit.amount and (heard := await counted):
                    count, ends = _window(heard)
        return max(1, math.ceil(ends - monotonic())) if count > self._limit.amount else 0

    def _count_together(self, redis: "RedisLink", limit: RateLimitItem, caller: str) -> Future[list[int] | None]:
        """The common count and the milliseconds that its window lasts; remembered when it comes."""
        seconds = limit.get_expiry()
        name = f"recolor:rate:{limit.amount}/{seconds}:{sha256(caller.encode()).hexdigest()[:32]}"

        def remember(answer: Future[list[int] | None]) -> None:
            if not answer.cancelled() and (heard := answer.result()):
                self._windows[caller] = _window(heard)

        counted = redis.ask("EVAL", _COUNT, 1, name, 1000 * seconds)
        counted.add_done_callback(remember)
        return counted


def _window(heard: list[int]) -> Window:
    return heard[0], monotonic() + heard[1] / 1000


def _parse(limit: str) -> RateLimitItem:
    try:
        return parse(limit)
    except ValueError:
        raise ValueError(f"RECOLOR_RATE_LIMIT: {limit!r} is no limit; write for example 600/minute.") from None

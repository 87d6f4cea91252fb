"""How often one caller may ask."""

import math
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
    where Redis does not answer, and does not ask again for a caller who has to wait.
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
        count, ends = self._windows.get(caller) or (0, 0.0)
        if count <= self._limit.amount:
            count, ends = self._windows[caller] = await self._counted(self._limit, caller)
        return max(1, math.ceil(ends - monotonic())) if count > self._limit.amount else 0

    async def _counted(self, limit: RateLimitItem, caller: str) -> Window:
        seconds = limit.get_expiry()
        if self._redis:
            name = f"recolor:rate:{limit.amount}/{seconds}:{sha256(caller.encode()).hexdigest()[:32]}"
            if counted := await self._redis.ask("EVAL", _COUNT, 1, name, 1000 * seconds):
                return counted[0], monotonic() + counted[1] / 1000
        count, ends = self._windows.get(caller) or (0, monotonic() + seconds)
        return count + 1, ends


def _parse(limit: str) -> RateLimitItem:
    try:
        return parse(limit)
    except ValueError:
        raise ValueError(f"RECOLOR_RATE_LIMIT: {limit!r} is no limit; write for example 600/minute.") from None

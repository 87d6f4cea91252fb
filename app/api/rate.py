"""How often one caller may ask."""

import math
from time import monotonic

from cachetools import TLRUCache
from limits import RateLimitItem, parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

CALLERS = 100_000
"""Most callers whose requests are counted; of more, those that were not seen for longest start anew."""

Window = tuple[int, float]
"""Requests so far, and the time at which counting starts anew."""


class RateLimit:
    """A limit such as ``600/minute``. Raises ValueError if it cannot be read; empty means no limit."""

    def __init__(self, limit: str) -> None:
        self._limit = _parse(limit) if limit else None
        self._limiter = FixedWindowRateLimiter(_LoopStorage())

    def wait(self, caller: str) -> int:
        """Count a request. Seconds until the next is let in, 0 where this one is."""
        if self._limit is None or self._limiter.hit(self._limit, caller):
            return 0
        reset = self._limiter.get_window_stats(self._limit, caller).reset_time
        return max(1, math.ceil(reset - monotonic()))


def _parse(limit: str) -> RateLimitItem:
    try:
        return parse(limit)
    except ValueError:
        raise ValueError(f"RECOLOR_RATE_LIMIT: {limit!r} is no limit; write for example 600/minute.") from None


class _LoopStorage(Storage):
    """Counters of one event loop.

    The library's own memory storage starts a thread for almost every request, to expire old counters; that can
    cost more than the answer. On one loop nothing needs a lock, and a bounded dictionary forgets by itself.
    """

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._windows: TLRUCache[str, Window] = TLRUCache(
            CALLERS, ttu=lambda key, window, now: window[1], timer=monotonic
        )

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        count, ends = self._windows.get(key) or (0, monotonic() + expiry)
        self._windows[key] = (count + amount, ends)
        return count + amount

    def get(self, key: str) -> int:
        window = self._windows.get(key)
        return window[0] if window else 0

    def get_expiry(self, key: str) -> float:
        window = self._windows.get(key)
        return window[1] if window else monotonic()

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)

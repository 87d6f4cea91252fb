"""The circuit breaker: after failures in a row calls stop for a while, then one probe decides."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.telemetry.metrics import TEACHER_BREAKER_OPEN

log = logging.getLogger(__name__)


class Attempt:
    """One call that the breaker let through; its caller says how it ended."""

    def __init__(self) -> None:
        self.server_works: bool | None = None
        """None until known, and for ever in a call that was cancelled."""


class Breaker:
    """Closed: every call is let through. Open: none. Half-open, `seconds` later: one probe, which closes or reopens.

    The gauge stays at 1 until a probe has succeeded.
    """

    def __init__(self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._seconds, self._clock = failures, seconds, clock
        self._failures = 0
        self._opened_at: float | None = None
        self._probe: Attempt | None = None
        self._no_probe = asyncio.Event()
        self._no_probe.set()
        TEACHER_BREAKER_OPEN.set(0)

    @property
    def is_open(self) -> bool:
        """Whether no call is let through because the time of rest is not over; False when half-open."""
        return self._opened_at is not None and self._clock() - self._opened_at < self._seconds

    @property
    def refuses(self) -> bool:
        """Whether a call would not be let through now."""
        return self.is_open or self._probe is not None

    async def probed(self) -> None:
        """Return when no probe is under way: at once, or with its verdict."""
        while self._probe is not None:
            await self._no_probe.wait()

    @contextmanager
    def attempt(self) -> Iterator[Attempt | None]:
        """The way through for one call, None where it is refused. A call without a verdict changes nothing."""
        if self.refuses:
            yield None
            return
        attempt = Attempt()
        is_probe = self._opened_at is not None
        if is_probe:
            self._probe = attempt
            self._no_probe.clear()
        try:
            yield attempt
        finally:
            if is_probe:
                self._probe = None
                self._no_probe.set()
            # A call from before the opening that ends during it has nothing new to say.
            if attempt.server_works is not None and is_probe == (self._opened_at is not None):
                self._judge(attempt.server_works)

    def _judge(self, server_works: bool) -> None:
        if server_works:
            if self._opened_at is not None:
                log.info("the teacher answers again")
            self._failures, self._opened_at = 0, None
            TEACHER_BREAKER_OPEN.set(0)
            return
        self._failures += 1
        if self._opened_at is not None or self._failures >= self._limit:
            log.warning("the teacher is not called for %g s: %d failures in a row", self._seconds, self._failures)
            self._opened_at = self._clock()
            TEACHER_BREAKER_OPEN.set(1)

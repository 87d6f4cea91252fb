"""From loading to closing: the service listens at once and answers when its student has warmed up."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI

from app.api.errors import NotAvailable
from app.events import Events
from app.render import Lane, RenderPool
from app.serving import Recolorer

if TYPE_CHECKING:
    from app.serving.redis_link import RedisLink

log = structlog.get_logger(__name__)

RETRY_SECONDS = 5
"""What a caller is told to wait while nobody can answer."""

Started = Callable[[Exception | None], None]
"""Is told once that the start is over: None, or why it failed."""


class Lifecycle:
    """Starts and closes a recolorer, its event log, Redis and what renders together with the application.

    Loading goes on behind the listener, for minutes with a large student; the service is alive meanwhile and says that
    it is not ready.
    """

    def __init__(
        self,
        recolorer: Recolorer,
        started: Started,
        events: Events,
        lane: Lane,
        pool: RenderPool,
        redis: "RedisLink | None",
    ) -> None:
        self._recolorer, self._report, self._events, self._redis = recolorer, started, events, redis
        self._lane, self._pool = lane, pool
        self.started = False

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        self._events.start()
        if self._redis:
            self._redis.start()
        starting = asyncio.create_task(self._start())
        try:
            yield
        finally:
            log.info("closing")
            starting.cancel()
            await asyncio.wait([starting])
            await self._recolorer.close()
            if self._redis:
                await self._redis.close()
            self._lane.close()
            await self._pool.close()
            # Last: what was in flight has been served by now. In a thread, since it waits for disk and database.
            await asyncio.to_thread(self._events.close)

    def require_started(self) -> None:
        """Raises NotAvailable."""
        if not self.started:
            raise NotAvailable("The student is not loaded yet.", RETRY_SECONDS)

    async def _start(self) -> None:
        try:
            await self._recolorer.start()
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever runs the service decides what follows
            self._report(error)
        else:
            self.started = True
            self._report(None)

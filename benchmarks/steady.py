"""A constant load: a request every so often, whether those before have been answered or not."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Self

import httpx


@dataclass(frozen=True, slots=True)
class Outcome:
    """When the request began (`time.monotonic`), how long it took, and its status: 0 where there was no answer."""

    began: float
    seconds: float
    status: int


@dataclass(slots=True)
class SteadyLoad:
    """``with SteadyLoad(port, 50, intent_of) as load: …``: `rate` looks a second, until the block ends.

    `intent_of` gives the intent of a request by its number. Leaving the block waits for the last answers.
    """

    port: int
    rate: float
    intent_of: Callable[[int], str]
    outcomes: list[Outcome] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()

    @property
    def failures(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.status != 200]

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
        began, number = monotonic(), 0
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", limits=limits, timeout=60) as client,
            asyncio.TaskGroup() as tasks,
        ):
            while not self._over.is_set():
                tasks.create_task(self._ask(client, self.intent_of(number)))
                number += 1
                await asyncio.sleep(max(0.0, began + number / self.rate - monotonic()))

    async def _ask(self, client: httpx.AsyncClient, intent: str) -> None:
        began = monotonic()
        try:
            status = (await client.post("/recolor", json={"intent": intent})).status_code
        except httpx.HTTPError:
            status = 0
        self.outcomes.append(Outcome(began, monotonic() - began, status))

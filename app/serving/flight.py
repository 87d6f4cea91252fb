"""Single flight: what is asked for while it is already being worked on is not worked on twice."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Iterable, Sequence
from contextlib import nullcontext
from typing import Any, Generic, TypeVar

from app.telemetry import traces

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Work = Callable[[Sequence[K], Callable[[K, V], None]], Coroutine[Any, Any, None]]
"""Works on keys and calls ``settle(key, value)`` once for each, as soon as its value is known."""


class _Flight(Generic[K, V]):
    """One piece of work on some keys, and how many callers wait for any of them."""

    def __init__(self, keys: Iterable[K]) -> None:
        loop = asyncio.get_running_loop()
        self.values: dict[K, asyncio.Future[V]] = {key: loop.create_future() for key in keys}
        self.waiters = 0
        self.trace = traces.here()
        self.task: asyncio.Task[None] | None = None


class SingleFlight(Generic[K, V]):
    """Shares work between callers by key.

    The keys of one call that nobody works on yet become one piece of work. It goes on until its last waiter has left: a
    cancelled waiter does not disturb the others, the last one's cancellation cancels the work.
    """

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[K, V]] = {}

    async def join(self, keys: Sequence[K], work: Work[K, V]) -> dict[K, V]:
        """The value of each key. Raises what the work raises."""
        fresh = [key for key in keys if key not in self._flights]
        if fresh:
            self._take_off(fresh, work)
        flights = {key: self._flights[key] for key in keys}
        values = {key: flight.values[key] for key, flight in flights.items()}
        boarded = set(flights.values())
        for flight in boarded:
            flight.waiters += 1
        others = [flight.trace for flight in boarded if flight.values.keys().isdisjoint(fresh)]
        try:
            with traces.span("shared", links=others) if others else nullcontext():
                await asyncio.wait(values.values())
        finally:
            for flight in boarded:
                self._leave(flight)
        return {key: value.result() for key, value in values.items()}

    async def drain(self, seconds: float) -> None:
        """Wait for all work under way, at most so many seconds."""
        if tasks := {flight.task for flight in self._flights.values() if flight.task}:
            await asyncio.wait(tasks, timeout=seconds)

    def _take_off(self, keys: Sequence[K], work: Work[K, V]) -> None:
        flight: _Flight[K, V] = _Flight(keys)
        self._flights.update(dict.fromkeys(keys, flight))

        def settle(key: K, value: V) -> None:
            self._forget(flight, key)
            flight.values[key].set_result(value)

        flight.task = asyncio.create_task(work(keys, settle))
        flight.task.add_done_callback(lambda task: self._land(flight, task))

    def _leave(self, flight: _Flight[K, V]) -> None:
        flight.waiters -= 1
        if flight.waiters == 0 and flight.task and not flight.task.done():
            # Nobody may board what is about to be cancelled.
            self._forget(flight, *flight.values)
            flight.task.cancel()

    def _land(self, flight: _Flight[K, V], task: "asyncio.Task[None]") -> None:
        self._forget(flight, *flight.values)
        error = None if task.cancelled() else task.exception()
        for value in flight.values.values():
            if value.done():
                continue
            if error is None:
                value.cancel()
            else:
                value.set_exception(error)
                value.exception()  # each waiter raises the first it meets; the rest count as seen

    def _forget(self, flight: _Flight[K, V], *keys: K) -> None:
        for key in keys:
            if self._flights.get(key) is flight:
                del self._flights[key]

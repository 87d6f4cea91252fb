import asyncio
import gc
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from app.serving.flight import SingleFlight
from tests.serving.helpers import eventually

Settle = Callable[[str, str], None]


class Workshop:
    """Work that settles a key when told to, and notes what became of it."""

    def __init__(self) -> None:
        self.started: list[list[str]] = []
        self.cancelled: list[list[str]] = []
        self.error: Exception | None = None
        self._told: dict[str, asyncio.Event] = {}

    def tell(self, key: str) -> None:
        self._event(key).set()

    async def work(self, keys: Sequence[str], settle: Settle) -> None:
        self.started.append(list(keys))
        try:
            for key in keys:
                await self._event(key).wait()
                if self.error:
                    raise self.error
                settle(key, key.upper())
        except asyncio.CancelledError:
            self.cancelled.append(list(keys))
            raise

    def _event(self, key: str) -> asyncio.Event:
        return self._told.setdefault(key, asyncio.Event())


async def test_the_same_key_in_flight_is_worked_on_once() -> None:
    flights, shop = SingleFlight[str, str](), Workshop()
    callers = [asyncio.create_task(flights.join(["a"], shop.work)) for _ in range(5)]
    await eventually(lambda: bool(shop.started))
    shop.tell("a")
    assert await asyncio.gather(*callers) == [{"a": "A"}] * 5
    assert shop.started == [["a"]]


async def test_a_key_that_has_landed_is_worked_on_anew() -> None:
    flights, shop = SingleFlight[str, str](), Workshop()
    shop.tell("a")
    await flights.join(["a"], shop.work)
    await flights.join(["a"], shop.work)
    assert shop.started == [["a"], ["a"]]


async def test_only_the_keys_not_in_flight_become_new_work() -> None:
    flights, shop = SingleFlight[str, str](), Workshop()
    first = asyncio.create_task(flights.join(["a", "b"], shop.work))
    await eventually(lambda: bool(shop.started))
    second = asyncio.create_task(flights.join(["b", "c", "d"], shop.work))
    await eventually(lambda: len(shop.started) == 2)
    assert shop.started == [["a", "b"], ["c", "d"]]
    for key in "abcd":
        shop.tell(key)
    assert await first == {"a": "A", "b": "B"}
    assert await second == {"b": "B", "c": "C", "d": "D"}


async def test_a_key_is_had_as_soon_as_it_is_settled_although_the_work_goes_on() -> None:
    flights, shop = SingleFlight[str, str](), Workshop()
    both = asyncio.create_task(flights.join(["a", "b"], shop.work))
    await eventually(lambda: bool(shop.started))
    one = asyncio.create_task(flights.join(["a"], shop.work))
    await asyncio.sleep(0)
    shop.tell("a")
    assert await one == {"a": "A"}
    assert not both.done()
    shop.tell("b")
    assert await both == {"a": "A", "b": "B"}


async def test_a_cancelled_waiter_does_not_disturb_the_others() -> None:
    flights, shop = SingleFlight[str, str](), Workshop()
    starter = asyncio.create_task(flights.join(["a"], shop.work))
    await eventually(lambda: bool(shop.started))
    other = asyncio.create_task(flights.join(["a"], shop.work))
    await asyncio.sleep(0)
    starter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starter
    shop.tell("a")
    assert await other == {"a": "A"}
    assert shop.cancelled == []


async def test_the_last_waiter_to_be_cancelled_cancels_the_work_and_nobody_joins_it_any_more() -> None:
    flights, shop = SingleFlight[str, str](), Workshop()
    callers = [asyncio.create_task(flights.join(["a"], shop.work)) for _ in range(2)]
    await eventually(lambda: bool(shop.started))
    for caller in callers:
        caller.cancel()
    late = asyncio.create_task(flights.join(["a"], shop.work))
    await eventually(lambda: shop.cancelled == [["a"]])
    shop.tell("a")
    assert await late == {"a": "A"}
    assert shop.started == [["a"], ["a"]]


async def test_an_error_reaches_every_waiter_and_is_not_remembered() -> None:
    flights, shop = SingleFlight[str, str](), Workshop()
    shop.error = LookupError("no such thing")
    callers = [asyncio.create_task(flights.join(["a", "b"], shop.work)) for _ in range(3)]
    await eventually(lambda: bool(shop.started))
    shop.tell("a")
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(result) for result in results] == [LookupError] * 3
    shop.error = None
    shop.tell("b")
    assert await flights.join(["a", "b"], shop.work) == {"a": "A", "b": "B"}


async def test_an_error_that_was_raised_is_not_complained_of_again() -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def fail(keys: Sequence[str], settle: Settle) -> None:
        raise LookupError("no such thing")

    with suppress(LookupError):
        await SingleFlight[str, str]().join(["a", "b"], fail)
    gc.collect()
    assert complaints == []


async def test_draining_waits_for_what_is_in_flight() -> None:
    flights, shop = SingleFlight[str, str](), Workshop()
    caller = asyncio.create_task(flights.join(["a"], shop.work))
    await eventually(lambda: bool(shop.started))
    drained = asyncio.create_task(flights.drain(60))
    await asyncio.sleep(0.01)
    assert not drained.done()
    shop.tell("a")
    await drained
    assert await caller == {"a": "A"}

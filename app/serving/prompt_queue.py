"""Prompts that wait for the student, in the order in which they came."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from time import perf_counter

from app.serving.errors import Overloaded
from app.students import Answer, EngineError, Generation, Prompt
from app.telemetry.metrics import QUEUE_DEPTH


class Call:
    """The prompts of one caller. They may be answered by more than one batch; the caller gets them together."""

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self.prompts = prompts
        self.generation: asyncio.Future[Generation] = asyncio.get_running_loop().create_future()
        self._answers: dict[int, Answer] = {}
        self._taken = 0
        self._queued_at = self._begun_at = perf_counter()

    @property
    def waiting(self) -> int:
        """How many prompts are in no batch yet."""
        return len(self.prompts) - self._taken

    def take(self, most: int) -> range:
        """The indices of the next prompts for a batch."""
        if self._taken == 0:
            self._begun_at = perf_counter()
        first, self._taken = self._taken, min(self._taken + most, len(self.prompts))
        return range(first, self._taken)

    def answer(self, index: int, answer: Answer) -> None:
        self._answers[index] = answer
        if len(self._answers) == len(self.prompts) and not self.generation.done():
            answers = [self._answers[i] for i in range(len(self.prompts))]
            queued, generating = self._begun_at - self._queued_at, perf_counter() - self._begun_at
            self.generation.set_result(Generation(answers, queued, generating))

    def fail(self, reason: str) -> None:
        if not self.generation.done():
            self.generation.set_exception(EngineError(reason))


class PromptQueue:
    """First come, first served; bounded by prompts. Belongs to one event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._calls: OrderedDict[Call, None] = OrderedDict()
        self._depth = 0
        self._filled = asyncio.Event()

    def put(self, prompts: Sequence[Prompt]) -> Call:
        """Raises Overloaded. A call longer than the whole queue is let in when nobody else waits."""
        if self._calls and self._depth + len(prompts) > self._limit:
            raise Overloaded
        call = Call(prompts)
        self._calls[call] = None
        self._count(len(prompts))
        return call

    async def filled(self) -> None:
        """Wait until a prompt waits. It may have been dropped again by the time the caller runs."""
        await self._filled.wait()

    def take(self, most: int) -> list[tuple[Call, int]]:
        """At most so many prompts, as (call, index of its prompt); empty if none waits."""
        batch: list[tuple[Call, int]] = []
        while self._calls and len(batch) < most:
            call = next(iter(self._calls))
            batch += [(call, index) for index in call.take(most - len(batch))]
            if not call.waiting:
                del self._calls[call]
        self._count(-len(batch))
        return batch

    def drop(self, call: Call) -> None:
        """Forget the prompts of a call that are in no batch yet."""
        if call in self._calls:
            del self._calls[call]
            self._count(-call.waiting)

    def fail(self, reason: str) -> None:
        """Fail everything that waits."""
        for call in list(self._calls):
            self.drop(call)
            call.fail(reason)

    def _count(self, change: int) -> None:
        self._depth += change
        QUEUE_DEPTH.inc(change)  # several students may have a queue
        if self._depth:
            self._filled.set()
        else:
            self._filled.clear()

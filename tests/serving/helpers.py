"""What the tests of serving share: a running recolorer, metrics as differences, waiting for a condition."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import REGISTRY

from app.events import NO_EVENTS, Events, Feedback, Serve
from app.grade import TOOLS
from app.serving import BatchedStudent, Cache, MemoryCache, Recolorer, Recoloring, RecolorRequest, RedisCache
from app.serving.redis_link import RedisLink
from app.settings import Settings
from app.students import Engine
from tests.serving.engines import ScriptedEngine
from tests.serving.teachers import ScriptedTeacher, absent


def settings(**changes: Any) -> Settings:
    """Patient ones: a machine that is busy still answers in time, a student and then a teacher, too."""
    return Settings(**{"model": "scripted@1", "deadline_seconds": 60, "student_seconds": 30} | changes)


@asynccontextmanager
async def student_of(
    engine: ScriptedEngine, *, factory: Callable[[], Engine] | None = None, restart: float = 0.01, **changes: Any
) -> AsyncIterator[BatchedStudent]:
    """The engine in service, its warm-up forgotten."""
    student = BatchedStudent(factory or (lambda: engine), settings(**changes), restart_seconds=restart)
    await student.start()
    engine.batches.clear()
    try:
        yield student
    finally:
        engine.gate.set()
        await student.close()


@asynccontextmanager
async def recolorer_of(
    engine: ScriptedEngine,
    teacher: ScriptedTeacher | None = None,
    *,
    cache: Cache | None = None,
    factory: Callable[[], Engine] | None = None,
    restart: float = 0.01,
    events: Events = NO_EVENTS,
    rivals: Sequence[ScriptedEngine] = (),
    **changes: Any,
) -> AsyncIterator[Recolorer]:
    """A whole recolorer over a scripted engine, its warm-up forgotten; `rivals` are those of other variants."""
    chosen = settings(**changes)
    student = BatchedStudent(factory or (lambda: engine), chosen, restart_seconds=restart)
    cache = cache or MemoryCache(chosen.cache_entries)
    others = {
        rival.model: BatchedStudent(lambda rival=rival: rival, chosen.model_copy(update={"model": rival.model}))
        for rival in rivals
    }
    recolorer = Recolorer(student, teacher or absent(), cache, chosen, events, others)
    await recolorer.start()
    for one in (engine, *rivals):
        one.batches.clear()
    try:
        yield recolorer
    finally:
        for one in (engine, *rivals):
            one.gate.set()
        await recolorer.close()


@asynccontextmanager
async def linked(url: str, redis_seconds: float = 5) -> AsyncIterator[RedisLink]:
    """A link to Redis, once it has been made; patient, since the machine may be busy."""
    link = RedisLink(settings(redis_url=url, redis_seconds=redis_seconds))
    link.start()
    await eventually(lambda: link.up)
    try:
        yield link
    finally:
        await link.close()


@asynccontextmanager
async def replica_of(
    engine: ScriptedEngine,
    link: RedisLink,
    teacher: ScriptedTeacher | None = None,
    *,
    entries: int = 1000,
    **changes: Any,
) -> AsyncIterator[Recolorer]:
    """A recolorer that shares its answers."""
    async with recolorer_of(
        engine, teacher, cache=RedisCache(MemoryCache(entries), link, 3600), **changes
    ) as recolorer:
        yield recolorer


class Kept:
    """Events, as they were handed over."""

    def __init__(self) -> None:
        self.serves: list[Serve] = []

    def start(self) -> None: ...

    def served(self, serve: Serve) -> None:
        self.serves.append(serve)

    def feedback(self, feedback: Feedback) -> None: ...

    def close(self) -> None: ...


def ask(intent: str, *tools: str) -> RecolorRequest:
    """As `POST /recolor` asks."""
    return RecolorRequest(intent, tools or tuple(TOOLS), fresh=True)


async def eventually(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the condition is anything
            await asyncio.sleep(0.002)


async def answered_late(recolorer: Recolorer, engine: ScriptedEngine, request: RecolorRequest) -> Recoloring:
    """The answer to a request for which the engine takes 0.2 seconds at least."""
    engine.gate.clear()
    answer = asyncio.create_task(recolorer.recolor(request))
    await eventually(lambda: len(engine.batches) == 1)
    await asyncio.sleep(0.2)
    engine.gate.set()
    return await answer


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Counted:
    """How much a metric has grown since this was made."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = name, labels
        self._before = metric(name, **labels)

    @property
    def growth(self) -> float:
        return metric(self._name, **self._labels) - self._before

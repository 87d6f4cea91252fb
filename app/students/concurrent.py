"""Students over an engine that takes the calls of many requests at once and batches by itself.

The prompts of a request enter the engine together. An engine that is dead, or answers nothing any longer, is replaced
in the background; until then calls fail at once.
"""

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from time import perf_counter
from typing import Protocol

import structlog

from app.grade import TOOLS
from app.grade.codecs import Codec
from app.settings import Settings
from app.students.life import FIRST_PAUSE_SECONDS, load_anew
from app.students.protocol import Answer, EngineError, Generation, Overloaded, Prompt
from app.telemetry.logs import log_failure
from app.telemetry.metrics import ENGINE_READY, GENERATED_TOKENS, QUEUE_DEPTH
from app.telemetry.stages import stage_took

log = structlog.get_logger(__name__)

WARM_UP = [Prompt("golden hour", tool) for tool in TOOLS]
WATCH_SECONDS = 0.2
"""How often the engine is looked after: only then is the death of an idle one seen."""


class ConcurrentEngine(Protocol):
    """Belongs to one event loop."""

    codec: Codec
    decoding: str

    @property
    def dead(self) -> bool: ...

    async def begin(self) -> None:
        """Answer once. Raises EngineError."""
        ...

    async def generate(self, prompts: Sequence[Prompt]) -> tuple[list[Answer], float]:
        """One answer a prompt, in order, and the seconds until the engine took the last of them up.

        When this is cancelled the engine drops them. Raises EngineError, Overloaded.
        """
        ...

    async def close(self) -> None:
        """Let go of everything, whatever state it is in; again, if need be."""
        ...


class ConcurrentStudent(ABC):
    """A `Student` over one such engine after the other.

    Args:
        restart_seconds: pause before the first try to replace a dead engine; doubles with each.
        stalled_seconds: an engine that answers nothing for so long counts as dead.
        silent_seconds: an engine of which nothing was heard for so long is asked something.
    """

    codec: Codec
    decoding: str

    def __init__(
        self,
        settings: Settings,
        *,
        restart_seconds: float = FIRST_PAUSE_SECONDS,
        stalled_seconds: float = 30.0,
        silent_seconds: float = math.inf,
    ) -> None:
        self.model = settings.model
        self._settings = settings
        self._restart_seconds, self._stalled_seconds = restart_seconds, stalled_seconds
        self._silent_seconds = silent_seconds
        self._most = settings.max_batch + settings.max_queue
        self._asked = 0
        self._doubtful = False
        self._heard = 0.0
        self._life: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._count(0)
        self._set_engine(None)

    @abstractmethod
    async def _engine_anew(self) -> ConcurrentEngine:
        """Another engine, which has not begun. Raises whatever that fails of."""

    @property
    def ready(self) -> bool:
        return self._engine is not None and not self._engine.dead

    async def start(self) -> None:
        """Start the engine and let it answer once. Raises what that fails of, EngineError among it."""
        self._begin_life(await self._load())

    async def generate(self, prompts: Sequence[Prompt]) -> Generation:
        """Raises EngineError, Overloaded. What is cancelled is not generated any further."""
        if self._engine is None:
            raise EngineError("the student is not running")
        if self._asked and self._asked + len(prompts) > self._most:
            raise Overloaded
        self._count(len(prompts))
        began = perf_counter()
        try:
            answers, queued = await self._engine.generate(prompts)
        except (asyncio.CancelledError, EngineError):
            self._doubtful = True
            raise
        finally:
            self._count(-len(prompts))
        self._heard = perf_counter()
        generating = self._heard - began - queued
        GENERATED_TOKENS.labels(self.model).inc(sum(answer.tokens for answer in answers))
        stage_took("queue", self.model, queued, ago=generating)
        stage_took("generate", self.model, generating)
        return Generation(answers, queued, generating)

    async def close(self, seconds: float = 10.0) -> None:
        """Take no more calls, finish those there are within so many seconds, end the engine."""
        self._set_engine(None)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait([self._life])

    def _begin_life(self, engine: ConcurrentEngine | None) -> None:
        self._life = asyncio.create_task(self._live(engine))
        self._life.add_done_callback(self._ended)

    async def _live(self, engine: ConcurrentEngine | None) -> None:
        """Watch over one engine after the other; until cancelled."""
        try:
            while True:
                if engine is not None:
                    await self._watch(engine)
                    self._set_engine(None)
                    await engine.close()
                engine = await load_anew(self._load, self.model, self._restart_seconds)
        finally:
            if engine is not None:
                await engine.close()

    def _ended(self, life: asyncio.Task[None]) -> None:
        """Nothing may end a life but `close`; if something does, the service must say that it cannot answer."""
        if not life.cancelled() and (error := life.exception()) is not None:
            log_failure(log, "nobody watches over the student any longer", error, model=self.model)
            self._set_engine(None)

    async def _watch(self, engine: ConcurrentEngine) -> None:
        """Return when the engine is dead, or as good as dead."""
        while not engine.dead:
            if self._doubtful or perf_counter() - self._heard > self._silent_seconds:
                self._doubtful = False
                if not await self._answers(engine):
                    return
            await asyncio.sleep(WATCH_SECONDS)

    async def _answers(self, engine: ConcurrentEngine) -> bool:
        """Whether it answers something easy."""
        try:
            async with asyncio.timeout(self._stalled_seconds):
                await engine.generate(WARM_UP[:1])
        except Overloaded:  # which is an answer
            pass
        except (TimeoutError, EngineError) as error:
            log_failure(log, "the student answers nothing any longer", error, model=self.model)
            return False
        self._heard = perf_counter()
        return True

    async def _load(self) -> ConcurrentEngine:
        engine = await self._engine_anew()
        try:
            await engine.begin()
        except BaseException:
            await engine.close()
            raise
        self.codec, self.decoding = engine.codec, engine.decoding
        self._heard = perf_counter()
        self._set_engine(engine)
        return engine

    def _set_engine(self, engine: ConcurrentEngine | None) -> None:
        self._engine = engine
        ENGINE_READY.labels(self.model).set(engine is not None)

    def _count(self, change: int) -> None:
        self._asked += change
        QUEUE_DEPTH.set(max(0, self._asked - self._settings.max_batch))
        if self._asked:
            self._idle.clear()
        else:
            self._idle.set()

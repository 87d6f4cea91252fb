"""Decoder-only students under vLLM, whose engine runs beside the service and batches by itself.

The prompts of a request enter the engine together and share the pass over what they have in common. An engine that is
dead, or answers nothing any longer, is replaced in the background; until then calls fail at once.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from time import perf_counter

import structlog

from app.grade.codecs import Codec
from app.settings import Settings
from app.students.life import load_anew
from app.students.protocol import EngineError, Generation, Overloaded, Prompt
from app.students.vllm_engine import WARM_UP, Birth, VLLMEngine
from app.telemetry.logs import log_failure
from app.telemetry.metrics import ENGINE_READY, GENERATED_TOKENS, QUEUE_DEPTH, STAGE_DURATION

log = structlog.get_logger(__name__)

WATCH_SECONDS = 0.2
"""How often the engine is looked after: only then is the death of an idle one seen."""


class VLLMStudent:
    """A `Student` by vLLM.

    Args:
        restart_seconds: pause before the first try to replace a dead engine; doubles with each.
        stalled_seconds: an engine that answers nothing for so long counts as dead.
    """

    codec: Codec
    decoding: str

    def __init__(self, settings: Settings, *, restart_seconds: float = 1.0, stalled_seconds: float = 30.0) -> None:
        self.model = settings.model
        self._settings = settings
        self._restart_seconds, self._stalled_seconds = restart_seconds, stalled_seconds
        self._most = settings.max_batch + settings.max_queue
        self._asked = 0
        self._doubtful = False
        self._life: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._count(0)
        self._set_engine(None)

    @property
    def ready(self) -> bool:
        return self._engine is not None

    async def start(self) -> None:
        """Start the engine and let it answer once. Raises ModelStoreError, EngineError, and what vLLM raises."""
        engine = await self._load()
        self._life = asyncio.create_task(self._live(engine))
        self._life.add_done_callback(self._ended)

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
        except asyncio.CancelledError:
            self._doubtful = True
            raise
        finally:
            self._count(-len(prompts))
        generating = perf_counter() - began - queued
        GENERATED_TOKENS.labels(self.model).inc(sum(answer.tokens for answer in answers))
        STAGE_DURATION.labels("queue", self.model).observe(queued)
        STAGE_DURATION.labels("generate", self.model).observe(generating)
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

    async def _live(self, engine: VLLMEngine) -> None:
        """Watch over one engine after the other; until cancelled."""
        try:
            while True:
                await self._watch(engine)
                self._set_engine(None)
                await engine.close()
                engine = await load_anew(self._load, self.model, self._restart_seconds)
        finally:
            await engine.close()

    def _ended(self, life: asyncio.Task[None]) -> None:
        """Nothing may end a life but `close`; if something does, the service must say that it cannot answer."""
        if not life.cancelled() and (error := life.exception()) is not None:
            log_failure(log, "nobody watches over vLLM any longer", error, model=self.model)
            self._set_engine(None)

    async def _watch(self, engine: VLLMEngine) -> None:
        """Return when the engine is dead, or as good as dead."""
        while not engine.dead:
            if self._doubtful:
                self._doubtful = False
                if not await self._answers(engine):
                    return
            await asyncio.sleep(WATCH_SECONDS)

    async def _answers(self, engine: VLLMEngine) -> bool:
        """Whether it answers something easy, after a call ended without an answer."""
        try:
            async with asyncio.timeout(self._stalled_seconds):
                await engine.generate(WARM_UP[:1])
        except (TimeoutError, EngineError) as error:
            log_failure(log, "vLLM answers nothing any longer", error, model=self.model)
            return False
        return True

    async def _load(self) -> VLLMEngine:
        engine = await Birth(self._settings).engine()
        try:
            await engine.begin()
        except BaseException:
            await engine.close()
            raise
        self.codec, self.decoding = engine.codec, engine.decoding
        self._set_engine(engine)
        return engine

    def _set_engine(self, engine: VLLMEngine | None) -> None:
        self._engine = engine
        ENGINE_READY.labels(self.model).set(engine is not None)

    def _count(self, change: int) -> None:
        self._asked += change
        QUEUE_DEPTH.set(max(0, self._asked - self._settings.max_batch))
        if self._asked:
            self._idle.clear()
        else:
            self._idle.set()

"""The dynamic batcher: prompts of many requests, one forward batch.

Whatever waits when the engine becomes free is its next batch. Nothing is held back to fill one, so a lone request pays
nothing; under load, batches grow by themselves. An engine that keeps failing is dead: it is loaded anew in the
background, and until then calls fail at once.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from app.grade.codecs import Codec
from app.serving.engine_thread import EngineThread
from app.serving.prompt_queue import Call, PromptQueue
from app.settings import Settings
from app.students import Engine, EngineError, Generation, Prompt
from app.students.life import FIRST_PAUSE_SECONDS, load_anew
from app.telemetry.logs import log_failure
from app.telemetry.metrics import BATCH_SIZE, ENGINE_READY, GENERATED_TOKENS
from app.telemetry.stages import stage_took

log = structlog.get_logger(__name__)

FAILURES_UNTIL_DEAD = 3


class BatchedStudent:
    """A `Student` made of an engine that answers one batch at a time.

    Args:
        engine_factory: loads the engine; called again after its death.
        restart_seconds: pause before the first try to load it anew; doubles with each.
        stalled_seconds: a batch that takes longer will never end; counts as death.
    """

    codec: Codec
    decoding: str

    def __init__(
        self,
        engine_factory: Callable[[], Engine],
        settings: Settings,
        *,
        restart_seconds: float = FIRST_PAUSE_SECONDS,
        stalled_seconds: float = 120.0,
    ) -> None:
        self.model = settings.model
        self._factory = engine_factory
        self._max_batch = settings.max_batch
        self._restart_seconds, self._stalled_seconds = restart_seconds, stalled_seconds
        self._queue = PromptQueue(settings.max_queue)
        self._calls: set[Call] = set()
        self._life: asyncio.Task[None] | None = None
        self._ready = False
        self._set_ready(False)

    @property
    def ready(self) -> bool:
        return self._ready

    async def start(self) -> None:
        """Load the engine and let it answer once. Raises what the factory raises, and EngineError."""
        thread = await self._load()
        self._life = asyncio.create_task(self._live(thread))
        self._life.add_done_callback(self._ended)

    async def generate(self, prompts: Sequence[Prompt]) -> Generation:
        """Raises EngineError, Overloaded. What is cancelled before its batch begins is not generated."""
        if not self._ready:
            raise EngineError("the student is not running")
        call = self._queue.put(prompts)
        self._calls.add(call)
        try:
            generation = await call.generation
        finally:
            self._queue.drop(call)
            self._calls.discard(call)
        stage_took("queue", self.model, generation.queued, ago=generation.generating)
        stage_took("generate", self.model, generation.generating)
        return generation

    async def close(self, seconds: float = 10.0) -> None:
        """Take no more calls, finish those there are within so many seconds, end the thread."""
        self._set_ready(False)
        if self._calls:
            await asyncio.wait([call.generation for call in self._calls], timeout=seconds)
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait([self._life])
        for call in self._calls:
            call.fail("the student was closed")

    async def _live(self, thread: EngineThread) -> None:
        """Serve, die, load anew; until cancelled."""
        try:
            while True:
                await self._serve(thread)
                self._set_ready(False)
                self._queue.fail("the student died")
                thread.stop()
                thread = await load_anew(self._load, self.model, self._restart_seconds)
        finally:
            thread.stop()

    def _ended(self, life: asyncio.Task[None]) -> None:
        """Nothing may end a life but `close`; if something does, the service must say that it cannot answer."""
        if not life.cancelled() and (error := life.exception()) is not None:
            log_failure(log, "the student's batcher ended", error, model=self.model)
            self._set_ready(False)
            self._queue.fail("the student's batcher ended")

    async def _serve(self, thread: EngineThread) -> None:
        """Answer batch after batch until the engine is dead."""
        failures = 0
        while failures < FAILURES_UNTIL_DEAD and not thread.stalled:
            await self._queue.filled()
            if batch := self._queue.take(self._max_batch):
                answered = await self._answer(thread, batch)
                failures = 0 if answered else failures + 1

    async def _answer(self, thread: EngineThread, batch: list[tuple[Call, int]]) -> bool:
        BATCH_SIZE.observe(len(batch))
        try:
            prompts = [call.prompts[index] for call, index in batch]
            answers = await thread.generate(prompts, self._stalled_seconds)
        except EngineError as error:
            log_failure(log, "a batch failed", error, prompts=len(batch), model=self.model)
            for call, _ in batch:
                self._queue.drop(call)
                call.fail(str(error))
            return False
        GENERATED_TOKENS.labels(self.model).inc(sum(answer.tokens for answer in answers))
        for (call, index), answer in zip(batch, answers, strict=True):
            call.answer(index, answer)
        return True

    async def _load(self) -> EngineThread:
        thread = EngineThread(self._factory)
        try:
            engine = await thread.load()
        except BaseException:
            thread.stop()
            raise
        self.model, self.codec, self.decoding = engine.model, engine.codec, engine.decoding
        self._set_ready(True)
        return thread

    def _set_ready(self, ready: bool) -> None:
        self._ready = ready
        ENGINE_READY.labels(self.model).set(ready)

"""One thread that owns one engine: it is loaded, warmed up and called there and nowhere else."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from app.grade import TOOLS
from app.students import Answer, Engine, EngineError, Prompt

T = TypeVar("T")

STOP_SECONDS = 2.0

_WARM_UP = [Prompt("golden hour", tool) for tool in TOOLS]


class EngineThread:
    """The engine's life from loading to `stop`. `stalled` once a call did not come back in time.

    The thread is a daemon: a call that never returns cannot be ended, and must not keep the process alive.
    """

    def __init__(self, factory: Callable[[], Engine]) -> None:
        self.stalled = False
        self._factory = factory
        self._jobs: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="student", daemon=True)
        self._thread.start()

    async def load(self) -> Engine:
        """Load and answer once. Raises what the factory raises, and EngineError."""
        return await self._run(self._load)

    async def generate(self, prompts: Sequence[Prompt], seconds: float) -> list[Answer]:
        """One answer a prompt. Raises EngineError."""
        try:
            async with asyncio.timeout(seconds):
                return await self._run(lambda: self._generate(prompts))
        except TimeoutError:
            self.stalled = True
            raise EngineError(f"no answer within {seconds:g} s") from None

    def stop(self) -> None:
        """End the thread after what it is doing, and wait for it a little.

        A thread that still lets go of a network while the interpreter ends would abort the process.
        """
        self._jobs.put(None)
        if not self.stalled:
            self._thread.join(timeout=STOP_SECONDS)

    async def _run(self, job: Callable[[], T]) -> T:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((job, done))
        return await done

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, done = item
            try:
                result, error = job(), None
            except Exception as raised:  # noqa: BLE001 - handed to the caller, whatever it is
                result, error = None, raised
            # The loop is closed when the process ended while this thread was stalled; then nobody waits.
            with suppress(RuntimeError):
                done.get_loop().call_soon_threadsafe(_settle, done, result, error)
        # Its memory is wanted by the next one, which is loaded while this object may still be known.
        self.__dict__.pop("_engine", None)

    def _load(self) -> Engine:
        self._engine = self._factory()
        self._generate(_WARM_UP)
        return self._engine

    def _generate(self, prompts: Sequence[Prompt]) -> list[Answer]:
        try:
            answers = self._engine.generate(prompts)
        except EngineError:
            raise
        except Exception as error:
            raise EngineError(f"{type(error).__name__}: {error}") from error
        if len(answers) != len(prompts):
            raise EngineError(f"{len(answers)} answers to {len(prompts)} prompts")
        return answers


def _settle(done: asyncio.Future[T], result: T, error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)

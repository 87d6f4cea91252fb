"""A bounded pool of processes that render photos.

Photos are what strangers send: a decoder may crash on one, hang, or take all memory. In a process of its own that costs
this photo and no other; a new process takes its place. Processes are started by the first photo that needs them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import LifoQueue
from threading import Lock

import structlog

from app.render.photo import PhotoLimits, RenderedPhoto
from app.render.process import RenderJob, RenderProcess, WorkerLost

log = structlog.get_logger(__name__)

Render = Callable[[RenderJob], Awaitable[RenderedPhoto]]


class PoolFull(RuntimeError):  # noqa: N818 - said as a caller says it
    """All places are taken."""


class RenderPool:
    """Renders photos in the order in which they come, `workers` of them at once.

    Args:
        workers: processes; each takes one core, and memory for its libraries and one photo.
        queue: photos that may have a place beside those that are rendered.
        seconds: the time that one photo may take, once it is its turn.
        limits: what is refused before any pixel is decoded.
    """

    def __init__(self, workers: int, queue: int, seconds: float, limits: PhotoLimits) -> None:
        self._places, self._taken = workers + queue, 0
        self._seconds, self._limits = seconds, limits
        # A thread for each process: it waits for it, and sees at once when it has ended.
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="render")
        # The last one used comes first: a second process is started only when the first is busy.
        self._idle: LifoQueue[RenderProcess | None] = LifoQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._running: set[RenderProcess] = set()
        self._starting = Lock()
        self._closed = False

    @contextmanager
    def place(self) -> Iterator[Render]:
        """A place in the pool, to be taken before a photo is received: only so many are in memory at once.

        Gives `render`, which raises PhotoError, WorkerLost, and RuntimeError for a fault of the renderer; a photo whose
        `render` is cancelled before its turn is not rendered. Raises PoolFull.
        """
        if self._taken >= self._places:
            raise PoolFull("all places are taken")
        self._taken += 1
        try:
            yield self._render
        finally:
            self._taken -= 1

    async def close(self) -> None:
        """End every process, whatever it is doing."""
        # First, lest a photo that waits has its turn because the one before it was ended.
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._starting:
            self._closed = True
            for process in self._running:
                process.kill()
        await asyncio.to_thread(self._threads.shutdown)
        for process in self._running:
            process.end()

    async def _render(self, job: RenderJob) -> RenderedPhoto:
        return await asyncio.wrap_future(self._threads.submit(self._work, job))

    def _work(self, job: RenderJob) -> RenderedPhoto:
        process = self._idle.get()
        if process and not process.alive:  # it ended while it had nothing to do
            self._forget(process)
            process = None
        try:
            process = process or self._start()
            return process.render(job, self._seconds, self._limits)
        except WorkerLost:
            if process:
                self._forget(process)
                process = None
            raise
        finally:
            self._idle.put(process)

    def _start(self) -> RenderProcess:
        with self._starting:
            if self._closed:
                raise WorkerLost(late=False)
            try:
                process = RenderProcess()
            except OSError as error:
                log.error("no render worker can be started", error=str(error))
                raise WorkerLost(late=False) from error
            self._running.add(process)
        return process

    def _forget(self, process: RenderProcess) -> None:
        with self._starting:
            self._running.discard(process)
        process.end()

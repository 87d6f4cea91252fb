"""A photo costs at most itself: processes that crash, hang or are killed are replaced, and nothing is left of them."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data as samples

from app.grade import Grade
from app.render import PhotoError, PhotoLimits, PoolFull, RenderedPhoto, RenderJob, RenderPool, WorkerLost, worker
from app.render import process as render_process
from app.render.process import RenderProcess
from app.render.worker import receive, send
from app.settings import CHECKOUT
from tests.render.workers import alive, environment, has_work, memory_rank, niceness, quick_starts, stop, workers
from tests.serving.helpers import eventually

DARKER = Grade.parse({"adjust": {"exposure": -40}})
PIXELS = np.ascontiguousarray(samples.coffee()[100:148, 200:264])
LIMITS = PhotoLimits(max_bytes=20_000, max_pixels=5000)

FOREVER = 600.0


def png(pixels: NDArray[np.uint8] = PIXELS) -> bytes:
    output = BytesIO()
    Image.fromarray(pixels).save(output, "PNG")
    return output.getvalue()


PHOTO = RenderJob(png(), DARKER)


@dataclass(frozen=True)
class Watched:
    """A pool and its processes. `others` are those that were there before it."""

    pool: RenderPool
    others: set[int]

    @classmethod
    def of(cls, count: int) -> "Watched":
        """So many processes, and room for one photo beside."""
        return cls(RenderPool(count, 1, FOREVER, LIMITS), workers())

    async def close(self) -> None:
        """Nothing is left."""
        await self.pool.close()
        assert self.pids == set()

    @property
    def pids(self) -> set[int]:
        return workers() - self.others

    async def render(self, job: RenderJob = PHOTO) -> RenderedPhoto:
        with self.pool.place() as render:
            return await render(job)

    async def ready(self) -> int:
        """The one process, after a photo."""
        assert (await self.render()).size == (64, 48)
        (pid,) = self.pids
        return pid

    async def begin(self) -> tuple[int, "asyncio.Task[RenderedPhoto]"]:
        """A photo that is being rendered until its process goes on, and the process."""
        pid = await self.ready()
        stop(pid)
        rendering = await self.ask()
        await eventually(lambda: has_work(pid))
        return pid, rendering

    async def ask(self, job: RenderJob = PHOTO) -> "asyncio.Task[RenderedPhoto]":
        """A photo that has a place."""
        task = asyncio.create_task(self.render(job))
        await asyncio.sleep(0)
        return task


@asynccontextmanager
async def pool_of(count: int = 1) -> AsyncIterator[Watched]:
    watched = Watched.of(count)
    try:
        yield watched
    finally:
        await watched.close()


@pytest.fixture(scope="module", autouse=True)
def _quick_starts() -> Iterator[None]:
    with quick_starts():
        yield


@pytest.fixture(scope="module")
def pool() -> Iterator[Watched]:
    """Shared, since a process takes its time to start."""
    watched = Watched.of(1)
    assert watched.pids == set(), "the first photo starts it"
    yield watched
    asyncio.run(watched.close())


async def test_photos_are_rendered_by_another_process(pool: Watched) -> None:
    pid = await pool.ready()
    photo = await pool.render()
    assert photo.media_type == "image/png"
    assert np.asarray(Image.open(BytesIO(photo.data))).mean() < PIXELS.mean()
    assert await pool.ready() == pid


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "damaged"), (b"text", "unsupported"), (png(np.tile(PIXELS, (2, 1, 1))), "too_large")]
)
async def test_a_photo_that_is_refused_says_why_and_costs_no_process(pool: Watched, data: bytes, reason: str) -> None:
    pid = await pool.ready()
    with pytest.raises(PhotoError) as caught:
        await pool.render(RenderJob(data, DARKER))
    assert caught.value.reason == reason
    assert len(str(caught.value)) > 20
    assert await pool.ready() == pid


async def test_a_fault_of_the_renderer_costs_no_process(pool: Watched) -> None:
    pid = await pool.ready()
    with pytest.raises(RuntimeError, match="rendering failed with ValueError"):
        await pool.render(RenderJob(png(), DARKER, strength=101))
    assert await pool.ready() == pid


async def test_a_process_that_is_killed_costs_its_photo_only(pool: Watched) -> None:
    pid, rendering = await pool.begin()
    waiting = await pool.ask()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerLost) as caught:
        await rendering
    assert not caught.value.late
    assert (await waiting).size == (64, 48)
    assert pid not in pool.pids


async def test_a_process_that_is_killed_while_it_has_nothing_to_do_costs_nothing(pool: Watched) -> None:
    pid = await pool.ready()
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not alive(pid))
    assert await pool.ready() != pid


async def test_a_photo_that_takes_too_long_is_ended_and_the_next_is_rendered(
    pool: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = await pool.ready()
    stop(pid)
    with monkeypatch.context() as patch:
        patch.setattr(pool.pool, "_seconds", 0.2)
        with pytest.raises(WorkerLost) as caught:
            await pool.render()
    assert caught.value.late
    assert await pool.ready() != pid


async def test_only_so_many_photos_have_a_place(pool: Watched) -> None:
    for _ in range(2):
        with pool.pool.place(), pool.pool.place(), pytest.raises(PoolFull), pool.pool.place():
            pass


async def test_who_leaves_the_queue_is_not_rendered_and_gives_up_the_place(pool: Watched) -> None:
    pid, rendering = await pool.begin()
    waiting = await pool.ask()
    with pytest.raises(PoolFull):
        await pool.render()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    other = await pool.ask()
    os.kill(pid, signal.SIGCONT)
    assert (await rendering).data == (await other).data
    assert pool.pids == {pid}


async def test_a_process_leaves_processor_and_memory_to_others(pool: Watched) -> None:
    pid = await pool.ready()
    assert niceness(pid) == min(niceness(os.getpid()) + render_process.NICENESS, 19)
    assert memory_rank(pid) == 1000


async def test_signals_that_are_meant_for_the_service_do_not_end_a_process(pool: Watched) -> None:
    pid = await pool.ready()
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGINT)
    assert await pool.ready() == pid


async def test_as_many_photos_are_rendered_at_once_as_there_are_processes() -> None:
    async with pool_of(count=2) as two:
        pid, rendering = await two.begin()
        assert (await two.render()).size == (64, 48)
        assert len(two.pids) == 2
        os.kill(pid, signal.SIGCONT)
        await rendering


async def test_closing_ends_what_is_being_rendered_and_forgets_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    to_thread = asyncio.to_thread

    async def late(*work: Any, **how: Any) -> None:
        await asyncio.wait([rendering])
        await to_thread(*work, **how)

    async with pool_of() as closed:
        pid, rendering = await closed.begin()
        waiting = await closed.ask()
        monkeypatch.setattr(asyncio, "to_thread", late)
        await closed.pool.close()
        assert not alive(pid)
        with pytest.raises(WorkerLost):
            await rendering
        with pytest.raises(asyncio.CancelledError):
            await waiting


def test_a_process_ends_when_its_service_is_killed() -> None:
    command = [sys.executable, "-c", "from tests.render.test_pool import serve; serve()"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        pid = int(service.stdout.readline())
        assert alive(pid)
        service.kill()
    asyncio.run(eventually(lambda: not alive(pid)))


def serve() -> None:
    """Render a photo, say which process did it, and wait to be killed."""

    async def forever() -> None:
        watched = Watched.of(1)
        print(await watched.ready(), flush=True)
        await asyncio.sleep(FOREVER)

    with quick_starts():
        asyncio.run(forever())


def test_a_process_ends_itself_where_nobody_does() -> None:
    hang = "worker._answer = lambda head, data: time.sleep(600); worker.GRACE_SECONDS = 1; worker.main()"
    command = [sys.executable, "-c", f"import time; from app.render import worker; {hang}"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=CHECKOUT, **pipes) as hanging:
        send(hanging.stdin, {"seconds": 0})
        assert hanging.wait() == -signal.SIGALRM


def test_a_photo_for_which_there_is_no_memory_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    def render_photo(*arguments: object) -> RenderedPhoto:
        raise MemoryError

    monkeypatch.setattr(worker, "render_photo", render_photo)
    head = {"limits": asdict(LIMITS), "grade": DARKER.plain(), "strength": 100, "format": None}
    answer, data = worker._answer(head, PHOTO.data)
    assert (answer["refused"], data) == ("too_large", b"")


async def test_a_process_that_the_machine_cannot_start_costs_its_photo_only(
    pool: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.kill(await pool.ready(), signal.SIGKILL)
    await eventually(lambda: not any(map(alive, pool.pids)))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/no/such/python")
        with pytest.raises(WorkerLost):
            await pool.render()
    await pool.ready()


async def test_a_process_knows_no_settings_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOLOR_API_KEYS", "a-secret-key")
    async with pool_of() as other:
        pid = await other.ready()
        assert b"a-secret-key" not in environment(pid)


def test_a_process_that_cannot_start_says_why_in_the_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONMALLOC", "no-such-allocator")
    process = RenderProcess()
    with pytest.raises(WorkerLost):
        process.render(PHOTO, FOREVER, LIMITS)
    process.end()
    assert "unknown allocator" in capsys.readouterr().out


def test_a_message_is_read_whole_or_not_at_all() -> None:
    stream = BytesIO()
    send(stream, {"strength": 70}, b"\n{}\x00")
    whole = stream.getvalue()
    assert receive(BytesIO(whole)) == ({"strength": 70, "length": 4}, b"\n{}\x00")
    for end in range(len(whole)):
        assert receive(BytesIO(whole[:end])) is None

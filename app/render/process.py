"""The process that renders photos, as the service sees it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event, Timer

import structlog

from app.grade import Grade
from app.render.photo import PhotoError, PhotoFormat, PhotoLimits, RenderedPhoto
from app.render.worker import Head, receive, send

log = structlog.get_logger(__name__)

START_SECONDS = 120.0
"""For loading its libraries: a second or two, unless the machine is busy with what comes first."""

DYING_SECONDS = 2.0

NICENESS = 10
"""Of 19: whoever waits for an answer comes first."""

ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""For the libraries that would take them all."""

_LAST_WORDS = 2000
_IMPORTED_FROM = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class RenderJob:
    """A photo file and what is to become of it, as `render_photo` takes them."""

    data: bytes
    grade: Grade
    strength: float = 100
    format: PhotoFormat | None = None


class WorkerLost(RuntimeError):  # noqa: N818 - said as a caller says it
    """The process ended before it had answered; `late` where it was ended because its time was over."""

    def __init__(self, late: bool) -> None:
        self.late = late
        super().__init__("the time is over" if late else "the process ended")


class RenderProcess:
    """A process that loads its libraries and then renders one photo after another, until `end`.

    Every method but `kill` is for one thread at a time.
    """

    def __init__(self) -> None:
        """Raises OSError where the machine has no room for it."""
        self._errors = TemporaryFile()  # noqa: SIM115 - as long as the process
        # Not through multiprocessing: it would load the command line and what it imports into the process, too.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", "from app.render.worker import main; main()"],
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # out of reach of a terminal's Ctrl-C
        )
        with suppress(OSError):  # gone already
            os.setpriority(os.PRIO_PROCESS, self._process.pid, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)
        assert self._process.stdin is not None  # noqa: S101 - for mypy: both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._input, self._output = self._process.stdin, self._process.stdout
        self._ready = self._killed = False

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def render(self, job: RenderJob, seconds: float, limits: PhotoLimits) -> RenderedPhoto:
        """`seconds` is what the photo may take. Raises PhotoError, WorkerLost, RuntimeError for a renderer's fault."""
        self._wait_until_ready()
        head = {
            "grade": job.grade.plain(),
            "strength": job.strength,
            "format": job.format,
            "limits": asdict(limits),
            "seconds": seconds,
        }
        with self._killed_after(seconds):
            with suppress(OSError):  # it ended while it was spoken to; what it says is awaited nonetheless
                send(self._input, head, job.data)
            answer, data = self._receive()
        if "refused" in answer:
            raise PhotoError(answer["refused"], answer["message"])
        if "failed" in answer:
            log.error("rendering failed", error=answer["failed"], frames=answer["frames"])
            raise RuntimeError(f"rendering failed with {answer['failed']}")
        width, height = answer["size"]
        return RenderedPhoto(data, answer["media_type"], (width, height))

    def kill(self) -> None:
        """Whatever it is doing, and from whatever thread."""
        self._killed = True
        self._process.kill()

    def end(self) -> None:
        """Leave nothing of it; where it had ended by itself, the log says how."""
        if not self._killed:
            with suppress(subprocess.TimeoutExpired):  # its output ends a moment before it
                self._process.wait(DYING_SECONDS)
        self._process.kill()
        code = self._process.wait()
        if not self._killed:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace")[-_LAST_WORDS:]
            log.error("render worker ended", code=code, said=said)
        for stream in (self._input, self._output, self._errors):
            with suppress(OSError):  # what could not be sent is tried once more, and there is nobody to read it
                stream.close()

    def _wait_until_ready(self) -> None:
        if not self._ready:
            try:
                with self._killed_after(START_SECONDS):
                    self._receive()
            except WorkerLost as error:
                raise WorkerLost(late=False) from error  # it is not the photo that took too long
            self._ready = True

    def _receive(self) -> tuple[Head, bytes]:
        message = receive(self._output)
        if message is None:
            raise WorkerLost(late=False)
        return message

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        """Raises WorkerLost if the block takes longer: the process is gone then, even if it had just answered."""
        late = Event()

        def kill() -> None:
            late.set()
            log.error("render worker took too long", seconds=seconds)
            self.kill()

        timer = Timer(seconds, kill)
        timer.start()
        try:
            yield
        except WorkerLost:
            raise WorkerLost(late.is_set()) from None
        finally:
            timer.cancel()
            timer.join()
        if late.is_set():
            raise WorkerLost(late=True)


def _environment() -> dict[str, str]:
    """The same application, wherever it was started, on one core, and without its settings: keys are among them."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RECOLOR_")}
    path = [str(_IMPORTED_FROM), *filter(None, [own.get("PYTHONPATH")])]
    return own | ONE_CORE | {"PYTHONPATH": os.pathsep.join(path)}

"""Processes that need not import PyTorch first: forks of one that has done it, once for all tests.

What they are is `tests.api.process`, with an environment, streams and signals of their own. What Python does when a
process ends does not happen here: it is for tests of a new process.
"""

import multiprocessing
import os
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.reduction import DupFd
from typing import IO, Any

_FORKS = multiprocessing.get_context("forkserver")
# The second is what a service imports when it has read its settings.
_FORKS.set_forkserver_preload(["tests.api.process", "app.events.opening"])


class Forked:
    """As much of `subprocess.Popen` as the tests use; both streams are text. Errors go to a file where one is given."""

    def __init__(self, environment: Mapping[str, str], errors: IO[str] | None = None) -> None:
        out, out_end = os.pipe()
        err, err_end = (os.open(os.devnull, os.O_RDONLY), os.dup(errors.fileno())) if errors else os.pipe()
        self.stdout, self.stderr = os.fdopen(out), os.fdopen(err)
        self._process = _FORKS.Process(target=_serve, args=(_Streams(out_end, err_end), dict(environment)), daemon=True)
        self._process.start()
        os.close(out_end)
        os.close(err_end)

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What is left of both streams, which then are closed; nothing the second time."""
        if self.stdout.closed:
            return "", ""
        with self.stdout, self.stderr, ThreadPoolExecutor() as threads:
            out, err = threads.submit(self.stdout.read), threads.submit(self.stderr.read)
            self.wait(timeout)
            if self.returncode is None:
                self.kill()
            return out.result(), err.result()


class _Streams:
    """The writing ends of the pipes, on their way into the process."""

    def __init__(self, out: int, err: int) -> None:
        self._ends: tuple[Any, ...] = out, err

    def __getstate__(self) -> tuple[Any, ...]:
        return tuple(DupFd(end) for end in self._ends)

    def __setstate__(self, ends: tuple[Any, ...]) -> None:
        self._ends = ends

    def take(self) -> None:
        for number, end in enumerate(self._ends, 1):
            os.dup2(end.detach(), number)


def _serve(streams: _Streams, environment: dict[str, str]) -> None:
    from app.main import serve
    from app.settings import Settings
    from tests.api.process import load

    streams.take()
    os.environ.clear()
    os.environ.update(environment)
    serve(Settings(), load)

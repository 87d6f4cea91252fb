"""The processes of a pool, looked at from outside (Linux)."""

import fcntl
import os
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.render import process
from tests.api.service import until


def workers(parent: int | None = None) -> set[int]:
    """The worker processes of a process, by default this one, those that have ended but are not reaped included."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (status := _status(folder)) and status[1] == (parent or os.getpid()):
            state, _ = status
            if state == "Z" or b"app.render.worker" in _command(folder):
                found.add(int(folder.name))
    return found


def alive(pid: int) -> bool:
    status = _status(Path(f"/proc/{pid}"))
    return status is not None and status[0] != "Z"


def stop(pid: int) -> None:
    """Until it is told to go on. Returns when it has stopped: until then it may still read what it is sent."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: (_status(Path(f"/proc/{pid}")) or ("gone", 0))[0] in ("T", "gone"))


def has_work(pid: int) -> bool:
    """Whether a process that was stopped has been sent something."""
    with open(f"/proc/{pid}/fd/0", "rb", buffering=0, opener=lambda path, flags: os.open(path, os.O_NONBLOCK)) as pipe:
        return any(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))


def niceness(pid: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, pid)


def memory_rank(pid: int) -> int:
    """The process with the highest is ended first when memory runs out."""
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="ascii"))


def environment(pid: int) -> bytes:
    """The variables that the process was started with."""
    return Path(f"/proc/{pid}/environ").read_bytes()


@contextmanager
def quick_starts() -> Iterator[None]:
    """Processes give way a little only: on a machine that is busy otherwise, tests would wait for them for minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "NICENESS", 1)
        yield


def _command(folder: Path) -> bytes:
    """Empty where the process is gone."""
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:
        return b""


def _status(folder: Path) -> tuple[str, int] | None:
    """State and parent; None where the process is gone."""
    try:
        fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[1])

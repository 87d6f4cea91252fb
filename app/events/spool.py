"""The spool: events on disk until the event store has them.

Every process has a folder of its own in the spool's, held by a lock that ends with the process however it ends. Whoever
starts next moves the events of the dead into its own folder and delivers them.
"""

import fcntl
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import structlog

from app.events.segment import Segment

log = structlog.get_logger(__name__)

SEGMENT_BYTES = 524_288
"""At which a segment is full: about as much as is read, and written to the event store, at once."""

LOCK = "lock"
_HOME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines of one segment, up to its byte `end`."""

    segment: Segment
    end: int
    lines: Sequence[bytes]


class Spool:
    """Opened and appended to by one thread, delivered from by another.

    Args:
        folder: made where it is missing, readable by its owner only.
        most_bytes: beyond which it is `full`; its users should stop then, but what they append is kept.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        self._segment_bytes = min(SEGMENT_BYTES, most_bytes // 8)
        self._guard = Lock()
        self._segments: list[Segment] = []
        self._live: Segment | None = None
        self._bytes = self._number = 0
        self._home: Path | None = None
        self._held = ExitStack()

    @property
    def full(self) -> bool:
        return self._bytes >= self._most

    @property
    def waiting(self) -> int:
        """Events that are not delivered yet."""
        with self._guard:
            return sum(segment.waiting for segment in self._segments)

    def open(self) -> None:
        """Take a folder, and over what dead processes have left. Nothing happens where it is open. Raises OSError."""
        if self._home is not None and self._home.is_dir():
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One process at a time: a folder that is not locked yet must not be taken for a dead process's.
        with (self._folder / LOCK).open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            home = self._folder / uuid.uuid4().hex
            home.mkdir(mode=0o700)
            self._held.close()
            self._held.enter_context(_locked(home))
            self._home, self._live = home, None
            for folder in sorted(self._folder.iterdir()):
                if folder != home and _HOME.fullmatch(folder.name):
                    self._take_over(folder)

    def append(self, lines: Sequence[bytes]) -> None:
        """Add lines, and wait until the disk has them. Raises OSError, having added nothing."""
        self.open()
        if self._live is None or self._live.sealed or self._live.size >= self._segment_bytes:
            self._begin_segment()
        segment = self._live
        assert segment is not None  # noqa: S101 - just begun, if there was none
        try:
            added = segment.append(lines)
        except OSError:
            self._drop_finished()
            raise
        with self._guard:
            segment.size += added
            segment.waiting += len(lines)
            self._bytes += added

    def read(self) -> Batch | None:
        """The oldest lines that wait; None where there are none. Raises OSError."""
        while True:
            with self._guard:
                segment = next((segment for segment in self._segments if segment.waiting), None)
                end = segment.size if segment else 0
            if segment is None:
                return None
            try:
                return Batch(segment, end, segment.read(end))
            except FileNotFoundError:
                log.error("events are lost: somebody has deleted their file", events=segment.waiting)
                self._delivered(segment, end, segment.waiting)

    def delivered(self, batch: Batch) -> None:
        """The event store has these lines."""
        self._delivered(batch.segment, batch.end, len(batch.lines))

    def close(self) -> None:
        """Leave what waits to the next process, and nothing else."""
        with self._guard:
            for segment in self._segments:
                segment.sealed = True
        self._drop_finished()
        if self._home is not None and not self._segments:
            _remove(self._home)
        self._home = None
        self._held.close()

    def _begin_segment(self) -> None:
        """Raises OSError."""
        path = self._next_path()
        path.touch(mode=0o600)
        # Else a power cut could take the new file's name with it.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        with self._guard:
            if self._live is not None:
                self._live.sealed = True
            self._live = Segment(path)
            self._segments.append(self._live)
        self._drop_finished()

    def _take_over(self, folder: Path) -> None:
        """Move the segments of a process into our folder, unless it lives."""
        try:
            with _locked(folder):
                for path in sorted(folder.glob("*.jsonl")):
                    self._adopt(path.rename(self._next_path()))
                _remove(folder)
        except BlockingIOError:
            pass
        except OSError as error:
            log.warning("events of an earlier process cannot be read", folder=str(folder), reason=error.strerror)

    def _adopt(self, path: Path) -> None:
        segment = Segment.found(path)
        if torn := path.stat().st_size - segment.size:
            log.warning("an event was not written to its end", file=str(path), bytes=torn)
        log.info("events of an earlier process are delivered", events=segment.waiting)
        with self._guard:
            self._segments.append(segment)
            self._bytes += segment.size
        self._drop_finished()

    def _next_path(self) -> Path:
        assert self._home is not None  # noqa: S101 - for one thread, which opens first
        self._number += 1
        return self._home / f"{self._number:08d}.jsonl"

    def _delivered(self, segment: Segment, end: int, lines: int) -> None:
        with self._guard:
            segment.delivered = end
            segment.waiting -= lines
        self._drop_finished()

    def _drop_finished(self) -> None:
        with self._guard:
            finished = [segment for segment in self._segments if segment.finished]
            self._segments = [segment for segment in self._segments if not segment.finished]
            self._bytes -= sum(segment.size for segment in finished)
        for segment in finished:
            with suppress(OSError):
                segment.path.unlink()


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Hold a process's folder. Raises BlockingIOError where its process lives."""
    with (home / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _remove(home: Path) -> None:
    with suppress(OSError):
        (home / LOCK).unlink()
        home.rmdir()

"""One file of the spool: lines that are appended at its end and delivered from its beginning."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True, eq=False)
class Segment:
    """`size` and `delivered` are bytes: what is safely on disk, and the part of it that the event store has.

    `waiting` counts the lines between the two. Nothing is appended to a `sealed` segment.
    """

    path: Path
    size: int = 0
    delivered: int = 0
    waiting: int = 0
    sealed: bool = False

    @property
    def finished(self) -> bool:
        return self.sealed and self.delivered == self.size

    @classmethod
    def found(cls, path: Path) -> "Segment":
        """A segment of a process that has ended. A line that it did not finish is no part of it. Raises OSError."""
        content = path.read_bytes()
        return cls(path, size=content.rfind(b"\n") + 1, waiting=content.count(b"\n"), sealed=True)

    def append(self, lines: Sequence[bytes]) -> int:
        """Add lines and wait until the disk has them; returns their bytes.

        Raises OSError, having added nothing, and is sealed then: what the file's end looks like is not sure.
        """
        content = b"".join(line + b"\n" for line in lines)
        try:
            with self.path.open("ab", buffering=0) as file:
                rest = memoryview(content)
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
        except OSError:
            self.sealed = True
            with suppress(OSError):
                os.truncate(self.path, self.size)
            raise
        return len(content)

    def read(self, end: int) -> list[bytes]:
        """The lines that wait, up to the byte `end`. Raises OSError."""
        with self.path.open("rb") as file:
            file.seek(self.delivered)
            return file.read(end - self.delivered).split(b"\n")[:-1]

"""What is said about a video that cannot be rendered."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import av

Reason = Literal["unsupported", "damaged"]


class VideoError(ValueError):
    """A video that cannot be rendered. The message is for who gave it and says what to do.

    Attributes:
        reason: ``unsupported`` (a kind of file that is not handled) or ``damaged``.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class CancelledError(Exception):
    """Somebody asked to stop; nothing was written."""


def damaged(detail: str) -> VideoError:
    text = f"{detail}: it is no video, or damaged or cut short. Copy it again from where it came, or repair it first."
    return VideoError("damaged", text)


@contextmanager
def readable(part: str) -> Iterator[None]:
    """Whatever a demuxer or decoder says about strange bytes becomes a VideoError."""
    try:
        yield
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except av.FFmpegError as error:
        raise damaged(f"{part} cannot be read ({error.strerror})") from error

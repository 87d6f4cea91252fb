"""What is said about a photo that cannot be rendered."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from PIL import Image

Reason = Literal["too_large", "unsupported", "damaged"]


class PhotoError(ValueError):
    """A photo that cannot be rendered. The message is for who sent it and says what to do.

    Attributes:
        reason: ``too_large`` (beyond a limit), ``unsupported`` (a kind of file that is not handled) or ``damaged``.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


@contextmanager
def readable(part: str) -> Iterator[None]:
    """Whatever a decoder raises on strange bytes becomes a PhotoError: Pillow alone knows a dozen types."""
    try:
        yield
    except PhotoError:
        raise
    except (Image.DecompressionBombError, MemoryError):
        raise PhotoError("too_large", "The photo is too large to be decoded; make it smaller and try again.") from None
    except Exception as error:
        text = f"{part} cannot be read: damaged, cut short or unusual. Open it in a photo editor and save it again."
        raise PhotoError("damaged", text) from error


def too_large(measured: str, allowed: str) -> PhotoError:
    return PhotoError("too_large", f"The photo has {measured}, {allowed} are allowed; make it smaller and try again.")

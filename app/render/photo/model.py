"""A photo: its pixels, its file, and the limits of what is read."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.render.photo.formats import PhotoFormat

Samples = NDArray[Any]
"""uint8 or uint16."""


@dataclass(frozen=True)
class PhotoLimits:
    """What is refused before any pixel is decoded."""

    max_bytes: int = 64 * 1024 * 1024
    max_pixels: int = 64_000_000


USUAL_LIMITS = PhotoLimits()


@dataclass(frozen=True)
class Photo:
    """A decoded photo, upright.

    Attributes:
        rgb: sRGB, [H, W, 3], uint8 or uint16.
        alpha: [H, W] of the same type, not premultiplied; None where the file has none.
        format: in which it is written if no other is asked for: what the file was, or JPEG for HEIC and AVIF.
        exif, xmp, iptc: what is kept of them; may be empty.
    """

    rgb: Samples
    alpha: Samples | None
    format: PhotoFormat
    exif: Image.Exif
    xmp: bytes = b""
    iptc: bytes = b""


@dataclass(frozen=True)
class RenderedPhoto:
    """A photo file and what it is. `size` is width and height in pixels."""

    data: bytes
    media_type: str
    size: tuple[int, int]


def packed(photo: Photo) -> Samples:
    """[H, W, 3], or 4 with alpha."""
    return np.ascontiguousarray(photo.rgb if photo.alpha is None else np.dstack((photo.rgb, photo.alpha)))

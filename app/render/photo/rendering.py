"""From a photo's file to the graded photo's file."""

from dataclasses import replace
from typing import get_args

import numpy as np

from app.grade import Grade
from app.render.photo.errors import PhotoError
from app.render.photo.formats import PhotoFormat, check_fits
from app.render.photo.model import USUAL_LIMITS, PhotoLimits, RenderedPhoto, Samples
from app.render.photo.reading import decode
from app.render.photo.writing import encode
from app.render.pipeline import apply_grade


def render_photo(
    data: bytes,
    grade: Grade,
    strength: float = 100,
    limits: PhotoLimits = USUAL_LIMITS,
    format: PhotoFormat | None = None,  # noqa: A002 - as Pillow calls it
) -> RenderedPhoto:
    """The photo under a grade, written in `format`, by default the format it came in (HEIC and AVIF: JPEG).

    JPEG is written with quality 95 and full colour resolution (4:4:4), WebP with quality 95. Raises PhotoError.
    """
    if format is not None and format not in get_args(PhotoFormat):
        wanted = ", ".join(get_args(PhotoFormat))
        raise PhotoError("unsupported", f"Photos are not written as {str(format)[:20]!r}; ask for one of {wanted}.")
    photo = decode(data, limits)
    height, width = photo.rgb.shape[:2]
    check_fits((width, height), format or photo.format)
    return encode(replace(photo, rgb=_graded(photo.rgb, grade, strength)), format or photo.format)


def _graded(rgb: Samples, grade: Grade, strength: float) -> Samples:
    if rgb.dtype == np.uint8:
        return apply_grade(rgb, grade, strength)
    # float32 holds 24 bits: a grade that changes nothing gives every one of the 16 back.
    graded = apply_grade(np.divide(rgb, 65535, dtype=np.float32), grade, strength)
    quantised: Samples = np.rint(graded * np.float32(65535)).astype(np.uint16)
    return quantised

"""From a photo's file to the graded photo's file."""

from dataclasses import replace
from typing import get_args

from app.grade import Grade
from app.render.photo.errors import PhotoError
from app.render.photo.formats import PhotoFormat, check_fits
from app.render.photo.model import USUAL_LIMITS, PhotoLimits, RenderedPhoto
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
    return encode(replace(photo, rgb=apply_grade(photo.rgb, grade, strength)), format or photo.format)

"""The order of all steps, and a grade on a picture.

    structure -> [ adjust -> selective adjust -> filter ] -> bloom -> sharpen

What is in brackets treats each pixel for itself and becomes one 3D LUT: the LUT that is exported, that the page
applies, and that photos and videos go through, so that all of them show the same. Texture is found in the picture as
it was taken, glow and sharpness are those of the graded one. The filter is blended in by its intensity, the whole by
the strength, both in encoded sRGB, as editors blend layers. A grade that changes nothing, or a strength of 0, changes
no bit.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from app.grade import Adjust, Grade
from app.render.adjust import adjust
from app.render.bands import Picture, in_bands, planes, store
from app.render.colour import Array
from app.render.lut import Lut
from app.render.presets import look
from app.render.selective import selective
from app.render.spatial import Sharpen, bloom, structure

LUT_SIZE = 33


def apply_grade(image: Picture, grade: Grade, strength: float = 100) -> Picture:
    """The picture under a grade.

    Args:
        image: sRGB, shape [H, W, 3]: uint8, uint16, or floats 0..1. It is not changed.
        grade: the settings of the three tools.
        strength: 0..100, how much of the result is blended over the picture.

    Returns:
        A new array of the same shape: uint8 for uint8, uint16 for uint16, else float32 0..1.

    Raises:
        ValueError: for another shape or type, or a strength out of range.
    """
    image = _checked(image)
    _check_strength(strength)
    if strength == 0:
        return image.copy()
    if not is_spatial(grade):
        return _through_lut(image, grade, strength)
    settings = grade.adjust or Adjust()
    graded = _through_lut(image, grade, 100, settings.structure)
    if settings.bloom or settings.sharpen or strength < 100:
        graded = _finished(graded, image, settings, strength)
    return graded


def pointwise(grade: Grade, strength: float = 100) -> Callable[[Array], Array]:
    """What the grade does to each pixel for itself: encoded sRGB 0..1 to the same, any shape [..., 3]."""
    _check_strength(strength)

    def graded(rgb: Array) -> Array:
        result = rgb
        if grade.adjust:
            result = adjust(result, grade.adjust)
        if grade.selective_adjust:
            result = selective(result, grade.selective_adjust)
        if grade.filter and grade.filter.is_used:
            result = _blend(result, look(grade.filter.name)(result), grade.filter.intensity)
        return _blend(rgb, result, strength)

    return graded


def compile_lut(grade: Grade, size: int = LUT_SIZE, strength: float = 100) -> Lut:
    """`pointwise` as a 3D LUT of `size` points an axis."""
    return Lut.of(pointwise(grade, strength), size)


@lru_cache(maxsize=4)
def _compiled(grade: Grade, strength: float) -> Lut:
    """For pictures that follow each other under one grade: the frames of a clip, the photos of a folder."""
    return compile_lut(grade, strength=strength)


def is_spatial(grade: Grade) -> bool:
    """Whether the grade does more than a LUT can."""
    return grade.adjust is not None and bool(grade.adjust.bloom or grade.adjust.sharpen or grade.adjust.structure)


def is_pointwise(grade: Grade) -> bool:
    """Whether the grade does anything that a LUT can."""
    if grade.adjust:
        grade = grade.model_copy(
            update={"adjust": grade.adjust.model_copy(update={"bloom": 0, "sharpen": 0, "structure": 0})}
        )
    return any(
        settings is not None and settings.is_used for settings in (grade.adjust, grade.selective_adjust, grade.filter)
    )


def _through_lut(image: Picture, grade: Grade, strength: float, texture: int = 0) -> Picture:
    """Structure, and what a LUT holds."""
    lut = _compiled(grade, strength) if is_pointwise(grade) else None
    textured = structure(image, texture) if texture else None
    if lut is None and textured is None:
        return image.copy()
    result = np.empty_like(image)

    def work(rows: slice) -> None:
        band = image[rows]
        if textured:
            store(textured(planes(band), rows), result[rows])
            band = result[rows]
        if lut:
            result[rows] = lut.apply(band)

    in_bands(image, work)
    return result


def _finished(graded: Picture, image: Picture, settings: Adjust, strength: float) -> Picture:
    """Bloom, sharpen, and the blend over the untouched picture."""
    glowing = bloom(graded, settings.bloom) if settings.bloom else None
    sharper = Sharpen(settings.sharpen, max(image.shape[:2])) if settings.sharpen else None
    reach = sharper.reach if sharper else 0
    result = np.empty_like(image)

    def work(rows: slice) -> None:
        wide = slice(max(rows.start - reach, 0), min(rows.stop + reach, len(image)))
        band = planes(graded[wide])
        if glowing:
            band = glowing(band, wide)
        if sharper:
            band = sharper(band, rows.start - wide.start, wide.stop - rows.stop)
        store(_blend(planes(image[rows]), band, strength) if strength < 100 else band, result[rows])

    in_bands(image, work)
    return result


def _blend(below: Array, above: Array, percent: float) -> Array:
    """`above` over `below`; exactly one of them at 100 and 0."""
    if percent in (0, 100):
        return above if percent else below
    return (below + (above - below) * np.float32(percent / 100)).astype(np.float32)


def _checked(image: Picture) -> Picture:
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"a picture has shape [H, W, 3], not {list(image.shape)}")
    if image.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        return np.ascontiguousarray(image)
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"a picture is uint8, uint16 or floats 0..1, not {image.dtype}")
    return np.ascontiguousarray(image, np.float32)


def _check_strength(strength: float) -> None:
    if not 0 <= strength <= 100:
        raise ValueError(f"strength is 0..100, not {strength}")

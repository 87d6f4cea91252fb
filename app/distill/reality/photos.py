"""The photos on which grades are compared."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from app.distill.reality.difference import Pixels
from app.distill.reality.errors import RealityError
from app.grade import Grade
from app.render import apply_grade
from app.render.photo import PhotoError, PhotoLimits, decode

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True, eq=False, slots=True)
class Photo:
    """`name` is the file's without its ending; `pixels` are sRGB, upright, uint8 [H, W, 3]."""

    name: str
    pixels: Pixels

    def scaled(self, longest: int) -> "Photo":
        """The photo with a longer side of at most `longest` pixels; a smaller one as it is."""
        height, width = self.pixels.shape[:2]
        shrink = longest / max(height, width)
        if shrink >= 1:
            return self
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        smaller = Image.fromarray(self.pixels).resize(size, Image.Resampling.LANCZOS)
        return Photo(self.name, np.asarray(smaller))

    def under(self, grade: Grade) -> Pixels:
        """The photo's pixels with a grade applied."""
        return np.asarray(apply_grade(self.pixels, grade), np.uint8)


def read_photos(folder: Path) -> list[Photo]:
    """Every photo of a folder, by name. Raises RealityError."""
    if not folder.is_dir():
        raise RealityError(f"there is no folder {folder}; name a folder of photos")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS)
    if not files:
        raise RealityError(f"{folder} has no photo ({', '.join(sorted(ENDINGS))})")
    return [Photo(file.stem, _pixels(file)) for file in files]


def _pixels(file: Path) -> Pixels:
    try:
        photo = decode(file.read_bytes(), PhotoLimits())
    except (OSError, PhotoError) as error:
        raise RealityError(f"{file}: {error}") from None
    deepest = np.iinfo(photo.rgb.dtype).max
    rgb = photo.rgb.astype(np.float32) * (255 / deepest)
    if photo.alpha is not None:  # laid on white, as a page shows it
        rgb = 255 + (rgb - 255) * (photo.alpha[..., None] / np.float32(deepest))
    pixels: Pixels = np.rint(rgb).astype(np.uint8)
    return pixels

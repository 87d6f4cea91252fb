"""What is looked at, by people and by a judge: a photo, and what teacher and student make of it."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from app.distill.reality.difference import Pixels, difference, lab
from app.distill.reality.pairs import Pair
from app.distill.reality.photos import Photo

JPEG_QUALITY = 88


@dataclass(frozen=True, eq=False, slots=True)
class Trial:
    """One intent on one photo. `apart` is the mean CIEDE2000 between the two edits."""

    intent: str
    domain: str
    photo: str
    source: Pixels
    teacher: Pixels
    student: Pixels
    apart: float


def trials(pairs: Sequence[Pair], photos: Sequence[Photo], longest: int) -> Iterator[Trial]:
    """Each pair on one photo, the photos in turn, with a longer side of at most `longest` pixels."""
    smaller = [photo.scaled(longest) for photo in photos]
    for index, pair in enumerate(pairs):
        photo = smaller[index % len(smaller)]
        teacher, student = photo.under(pair.teacher), photo.under(pair.student)
        apart = difference(lab(student), lab(teacher)).mean
        yield Trial(pair.intent, pair.domain, photo.name, photo.pixels, teacher, student, apart)


def address(pixels: Pixels) -> str:
    """The picture itself as an address, a JPEG without metadata."""
    output = BytesIO()
    Image.fromarray(pixels).save(output, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + b64encode(output.getvalue()).decode()

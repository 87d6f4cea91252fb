"""Photos as they are compared: sRGB, upright, 8 bits, on white."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from app.distill.reality.errors import RealityError
from app.distill.reality.photos import read_photos
from app.grade import Grade
from app.settings import CHECKOUT
from tests.distill.reality.helpers import photo, warm


def test_the_photos_of_the_project_are_read() -> None:
    photos = read_photos(CHECKOUT / "model_store" / "photos")
    assert [photo.name for photo in photos] == ["coffee", "pagoda", "portrait", "raccoon", "rocket"]
    assert all(photo.pixels.dtype == np.uint8 for photo in photos)


def test_a_photo_is_turned_upright_and_laid_on_white(tmp_path: Path) -> None:
    Image.new("RGB", (6, 4), (200, 100, 50)).save(tmp_path / "turned.JPG", exif=_orientation(6))
    Image.new("RGBA", (6, 4), (0, 0, 0, 51)).save(tmp_path / "glass.png")
    (tmp_path / "notes.txt").touch()
    glass, turned = read_photos(tmp_path)
    assert turned.pixels.shape == (6, 4, 3)
    assert np.all(glass.pixels == 204)


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "deep.tif", np.full((4, 6, 3), 257 * 90, np.uint16), photometric="rgb")
    assert np.all(read_photos(tmp_path)[0].pixels == 90)


def _orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = value
    return exif


def test_a_photo_is_made_smaller_and_never_larger() -> None:
    large = photo(width=90, height=60)
    assert large.scaled(30).pixels.shape == (20, 30, 3)
    assert large.scaled(90) is large
    assert large.scaled(500) is large


def test_a_grade_makes_a_new_picture() -> None:
    given = photo()
    before = given.pixels.copy()
    assert np.array_equal(given.under(Grade()), before)
    warmer = given.under(warm(80))
    assert warmer.dtype == np.uint8
    assert (warmer[..., 0] > before[..., 0]).mean() > 0.9
    assert np.array_equal(given.pixels, before)


@pytest.mark.parametrize(("names", "words"), [([], "has no photo"), (["broken.jpg"], "broken.jpg")])
def test_a_folder_without_a_usable_photo_is_named(tmp_path: Path, names: list[str], words: str) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(RealityError, match=words):
        read_photos(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RealityError, match="there is no folder"):
        read_photos(tmp_path / "nowhere")

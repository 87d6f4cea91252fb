"""HEIC and AVIF: the photos of phones are read with all their bits, upright, in their own colours."""

import random
from contextlib import suppress
from io import BytesIO

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms
from skimage import data as samples

from app.grade import Grade
from app.render.photo import PhotoError, PhotoLimits, render_photo
from tests.render.test_photo import distance, opened, refusal

NEUTRAL = Grade()
DARKER = Grade.parse({"adjust": {"exposure": -40}})

RGB = np.ascontiguousarray(samples.coffee()[100:164, 200:296])
HEIGHT, WIDTH = RGB.shape[:2]
RAMP = np.repeat(np.linspace(0, 65535, WIDTH * 4).astype(np.uint16)[None, :, None], 3, axis=2).repeat(8, axis=0)
ALPHA = np.linspace(0, 255, RGB[..., 0].size).astype(np.uint8).reshape(HEIGHT, WIDTH)


def heic(pixels: NDArray[np.generic] | Image.Image = RGB, **options: object) -> bytes:
    """As good as lossless."""
    if not isinstance(pixels, Image.Image):
        mode = {2: "L", 3: "RGB"}[pixels.ndim] if pixels.dtype == np.uint8 else "RGB;16"
        size = pixels.shape[1::-1]
        file = pillow_heif.from_bytes(mode, size, np.ascontiguousarray(pixels).tobytes())
    else:
        file = pillow_heif.from_pillow(pixels)
    output = BytesIO()
    file.save(output, **{"quality": -1, "chroma": 444, "matrix_coefficients": 0} | options)
    return output.getvalue()


def avif(pixels: NDArray[np.uint8] = RGB, **options: object) -> bytes:
    output = BytesIO()
    Image.fromarray(pixels).save(output, "AVIF", quality=100, subsampling="4:4:4", **options)
    return output.getvalue()


@pytest.mark.parametrize("data", [heic(), avif()], ids=["heic", "avif"])
def test_it_becomes_a_jpeg_if_nothing_else_is_asked_for(data: bytes) -> None:
    rendered = render_photo(data, NEUTRAL)
    image = opened(rendered.data)
    assert (image.format, rendered.media_type) == ("JPEG", "image/jpeg")
    assert rendered.size == image.size == (WIDTH, HEIGHT)
    assert distance(np.asarray(image), RGB) < 2
    assert np.asarray(opened(render_photo(data, DARKER).data)).mean() < RGB.mean() * 0.9


@pytest.mark.parametrize("target", ["png", "webp", "tiff"])
def test_another_format_can_be_asked_for(target: str) -> None:
    image = opened(render_photo(heic(), NEUTRAL, format=target).data)  # type: ignore[arg-type]
    assert (image.format or "").lower() == target
    assert distance(np.asarray(image), RGB) < 3


@pytest.mark.parametrize("to_12_bits", [False, True])
def test_more_than_8_bits_are_kept(to_12_bits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", to_12_bits)
    rendered = imagecodecs.png_decode(render_photo(heic(RAMP), NEUTRAL, format="png").data)
    assert rendered.dtype == np.uint16
    assert len(np.unique(rendered)) > 300
    assert rendered.max() == 65535
    assert np.abs(rendered.astype(int) - RAMP).max() < 65535 / 1023 * 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_it_is_turned_upright_once(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "A phone"
    data = heic(Image.fromarray(RGB), exif=exif.tobytes()) if kind == "heic" else avif(exif=exif.tobytes())
    image = opened(render_photo(data, NEUTRAL, format="png").data)
    ways = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
    plain = Image.fromarray(RGB)
    expected = plain.transpose(Image.Transpose(ways[orientation])) if orientation > 1 else plain
    assert image.size == expected.size
    assert distance(np.asarray(image), np.asarray(expected)) < 2
    assert image.getexif()[ExifTags.Base.Make] == "A phone"
    assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1


def display_p3() -> bytes:
    return bytes(
        imagecodecs.cms_profile(
            "rgb",
            whitepoint=[0.3127, 0.3290, 1],
            primaries=[0.680, 0.320, 1, 0.265, 0.690, 1, 0.150, 0.060, 1],
            gamma=2.2,
        )
    )


@pytest.mark.parametrize("data", [heic(icc_profile=display_p3()), avif(icc_profile=display_p3())], ids=["heic", "avif"])
def test_its_profile_is_honoured(data: bytes) -> None:
    profile = ImageCms.ImageCmsProfile(BytesIO(display_p3()))
    expected = ImageCms.profileToProfile(Image.fromarray(RGB), profile, ImageCms.createProfile("sRGB"), 1)
    assert distance(np.asarray(expected), RGB) > 2
    rendered = np.asarray(opened(render_photo(data, NEUTRAL, format="png").data))
    assert distance(rendered, np.asarray(expected)) < 1


def test_colours_that_are_told_by_numbers_are_honoured_too() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[...] = (200, 60, 60)
    wide = render_photo(heic(red, color_primaries=12, transfer_characteristics=13), NEUTRAL, format="png")
    narrow = render_photo(heic(red, color_primaries=1, transfer_characteristics=13), NEUTRAL, format="png")
    # Display P3 (200, 60, 60) in sRGB, by the matrices of CSS Color 4, section 10.
    assert np.asarray(opened(wide.data)).mean((0, 1)) == pytest.approx((216, 42, 51), abs=2)
    assert np.asarray(opened(narrow.data)).mean((0, 1)) == pytest.approx((200, 60, 60), abs=1)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused(transfer: int, name: str) -> None:
    error = refusal(heic(RAMP, color_primaries=9, transfer_characteristics=transfer))
    assert error.reason == "unsupported"
    assert f"HDR ({name})" in str(error)


@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_alpha_is_kept_or_laid_on_white(kind: str) -> None:
    pixels = np.dstack((RGB, ALPHA))
    data = heic(Image.fromarray(pixels)) if kind == "heic" else avif(pixels)
    kept = np.asarray(opened(render_photo(data, NEUTRAL, format="png").data))
    assert distance(kept[..., 3], ALPHA) < 2
    assert distance(kept[-8:], pixels[-8:]) < 2
    white = np.asarray(opened(render_photo(data, NEUTRAL).data))
    assert white[:4].mean() > 245


def test_grey_becomes_rgb() -> None:
    grey = RGB[..., 1]
    rendered = np.asarray(opened(render_photo(heic(grey), NEUTRAL, format="png").data))
    assert distance(rendered, np.repeat(grey[..., None], 3, axis=2)) < 2


def test_of_several_pictures_the_main_one_is_rendered() -> None:
    file = pillow_heif.from_pillow(Image.fromarray(255 - RGB))
    file.add_from_pillow(Image.fromarray(RGB))
    output = BytesIO()
    file.save(output, quality=-1, chroma=444, primary_index=1)
    rendered = np.asarray(opened(render_photo(output.getvalue(), NEUTRAL, format="png").data))
    assert distance(rendered, RGB) < 3


def test_limits_hold_before_any_pixel_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    data = heic()
    monkeypatch.setattr(pillow_heif, "open_heif", decode)
    assert refusal(data, PhotoLimits(max_pixels=WIDTH * HEIGHT - 1)).reason == "too_large"
    assert refusal(data, PhotoLimits(max_bytes=len(data) - 1)).reason == "too_large"
    assert refusal(avif(), PhotoLimits(max_pixels=WIDTH * HEIGHT - 1)).reason == "too_large"


def test_a_header_that_lies_about_the_size_is_refused() -> None:
    data = heic()
    told = b"ispe" + bytes(4) + WIDTH.to_bytes(4, "big") + HEIGHT.to_bytes(4, "big")
    assert told in data
    for width, height in ((WIDTH // 2, HEIGHT // 2), (WIDTH * 100, HEIGHT * 100)):
        lie = b"ispe" + bytes(4) + width.to_bytes(4, "big") + height.to_bytes(4, "big")
        assert refusal(data.replace(told, lie)).reason == "damaged"


@pytest.mark.parametrize("data", [heic(), avif()], ids=["heic", "avif"])
def test_what_is_cut_short_or_changed_is_refused_or_rendered_and_breaks_nothing(data: bytes) -> None:
    for length in [*range(12, 400, 7), *range(400, len(data), len(data) // 20)]:
        refusal(data[:length])
    choose = random.Random(1)
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(choose.choice((1, 3, 20))):
            changed[choose.randrange(min(len(changed), 600))] = choose.randrange(256)
        with suppress(PhotoError):
            render_photo(bytes(changed), NEUTRAL, format="png")


def test_a_heif_file_of_avif_is_told_by_its_brands() -> None:
    data = avif()
    assert data[4:12] == b"ftypavif"
    changed = data.replace(b"ftypavif", b"ftypmif1", 1)
    assert distance(np.asarray(opened(render_photo(changed, NEUTRAL).data)), RGB) < 3
    assert refusal(data.replace(b"avif", b"none").replace(b"mif1", b"none")).reason == "unsupported"

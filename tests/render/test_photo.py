"""Photo files are read in all their kinds and written as they were, and nothing that is sent breaks the reader."""

import random
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from itertools import product

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps
from skimage import data as samples

from app.grade import Grade
from app.render.photo import (
    Photo,
    PhotoError,
    PhotoFormat,
    PhotoLimits,
    decode,
    encode,
    render_photo,
    srgb_profile,
)

LIMITS = PhotoLimits()
NEUTRAL = Grade()
DARKER = Grade.parse({"adjust": {"exposure": -40}})
SHARPER = Grade.parse({"adjust": {"exposure": -10, "sharpen": 30}})
FORMATS: tuple[PhotoFormat, ...] = ("jpeg", "png", "webp", "tiff")

RGB = np.ascontiguousarray(samples.coffee()[100:148, 200:264])
DEEP = (RGB.astype(np.uint16) * 257) ^ np.arange(RGB.size, dtype=np.uint16).reshape(RGB.shape) % 97
ALPHA = np.linspace(0, 255, 48 * 64).astype(np.uint8).reshape(48, 64)
DEEP_ALPHA = np.linspace(0, 65535, 48 * 64).astype(np.uint16).reshape(48, 64)


def saved(image: Image.Image | NDArray[np.uint8], file_format: str, **options: object) -> bytes:
    output = BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(output, file_format, **options)
    return output.getvalue()


def saved_tiff(pixels: NDArray[np.generic], **options: object) -> bytes:
    output = BytesIO()
    tifffile.imwrite(output, pixels, **options)
    return output.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def distance(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    """Mean absolute difference in 8-bit steps."""
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


def refusal(data: bytes, limits: PhotoLimits = LIMITS, **options: object) -> PhotoError:
    with pytest.raises(PhotoError) as caught:
        render_photo(data, NEUTRAL, 100, limits, **options)  # type: ignore[arg-type]
    assert caught.value.reason in {"too_large", "unsupported", "damaged"}
    assert len(str(caught.value)) > 30
    return caught.value


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def grey_profile(gamma: float) -> bytes:
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    white = b"XYZ " + bytes(4) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": curve, b"wtpt": white})


def cmyk_profile() -> bytes:
    """Inks on paper as a table of the 16 corners; cyan, magenta and yellow are those of no real press."""
    corners = bytearray()
    for corner in range(16):
        cyan, magenta, yellow, paper = corner >> 3 & 1, corner >> 2 & 1, corner >> 1 & 1, 1 - (corner & 1)
        lightness = 100 * paper * (1 - 0.3 * cyan) * (1 - 0.4 * magenta) * (1 - 0.1 * yellow)
        a, b = paper * (60 * magenta - 30 * cyan), paper * (70 * yellow - 40 * cyan)
        corners += bytes([round(lightness * 2.55), round(a + 128), round(b + 128)])
    same, one = bytes(range(256)), 65536
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + struct.pack(">9I", one, 0, 0, 0, one, 0, 0, 0, one)
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table + same * 4 + bytes(corners) + same * 3})


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, kind, space, connection) + bytes(12) + b"acsp"
    return head + bytes(28) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D) + bytes(48) + table + body


# A round trip


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_photo_comes_back_in_the_format_it_came_in(file_format: PhotoFormat) -> None:
    rendered = render_photo(saved(RGB, file_format, quality=95), NEUTRAL)
    image = opened(rendered.data)
    assert (image.format or "").lower() == file_format
    assert rendered.media_type == f"image/{file_format}"
    assert rendered.size == image.size == (64, 48)
    assert image.info["icc_profile"] == srgb_profile()
    assert distance(np.asarray(image.convert("RGB")), RGB) < (0.001 if file_format in {"png", "tiff"} else 4)


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_another_format_can_be_asked_for(source: PhotoFormat, target: PhotoFormat) -> None:
    rendered = render_photo(saved(RGB, source), NEUTRAL, format=target)
    assert (opened(rendered.data).format or "").lower() == target
    assert rendered.media_type == f"image/{target}"


@pytest.mark.parametrize("grade", [DARKER, SHARPER])
@pytest.mark.parametrize("deep", [False, True])
def test_a_grade_darkens_what_strength_lets_it(grade: Grade, deep: bool) -> None:
    photo = Photo(DEEP if deep else RGB, None, "png", Image.Exif())
    data = encode(photo, "png").data
    full, half, none = (decode(render_photo(data, grade, strength).data, LIMITS).rgb for strength in (100, 50, 0))
    assert full.mean() < half.mean() < none.mean()
    assert full.dtype == photo.rgb.dtype
    np.testing.assert_array_equal(none, photo.rgb)


def test_equal_photos_give_equal_files() -> None:
    data = saved(RGB, "PNG")
    assert render_photo(data, NEUTRAL).data == render_photo(data, NEUTRAL).data


def test_jpeg_keeps_the_full_resolution_of_colour() -> None:
    image = opened(render_photo(saved(RGB, "JPEG", subsampling="4:2:0"), NEUTRAL).data)
    assert {layer[1:3] for layer in image.layer} == {(1, 1)}  # type: ignore[attr-defined]
    assert sum(image.quantization[0]) < sum(opened(saved(RGB, "JPEG", quality=90)).quantization[0])  # type: ignore[attr-defined]


# 16 bits


@pytest.mark.parametrize("alpha", [None, DEEP_ALPHA])
@pytest.mark.parametrize("file_format", ["png", "tiff"])
def test_16_bits_stay_16(file_format: PhotoFormat, alpha: NDArray[np.uint16] | None) -> None:
    data = encode(Photo(DEEP, alpha, file_format, Image.Exif()), file_format).data
    rendered = render_photo(data, NEUTRAL).data
    read = imagecodecs.png_decode(rendered) if file_format == "png" else tifffile.imread(BytesIO(rendered))
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read[..., :3], DEEP)
    if alpha is not None:
        np.testing.assert_array_equal(read[..., 3], alpha)


@pytest.mark.parametrize("target", ["jpeg", "webp"])
def test_16_bits_are_rounded_to_8_where_there_are_no_more(target: PhotoFormat) -> None:
    data = imagecodecs.png_encode(np.dstack((DEEP, DEEP_ALPHA)))
    image = opened(render_photo(data, NEUTRAL, format=target).data)
    assert image.mode == ("RGB" if target == "jpeg" else "RGBA")


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize(
    ("compression", "layout"),
    [
        *product([None, "lzw", "zlib", "packbits"], [{}, {"planarconfig": "separate"}, {"tile": (16, 16)}]),
        *product(["lzw", "zlib"], [{"predictor": True}]),
    ],
)
def test_16_bit_tiffs_are_read_in_every_layout(
    byteorder: str, compression: str | None, layout: dict[str, object]
) -> None:
    pixels = np.moveaxis(DEEP, 2, 0) if "planarconfig" in layout else DEEP
    data = saved_tiff(pixels, photometric="rgb", compression=compression, byteorder=byteorder, **layout)
    np.testing.assert_array_equal(decode(data, LIMITS).rgb, DEEP)


def test_grey_of_16_bits_is_read_from_black_or_from_white() -> None:
    grey = np.ascontiguousarray(DEEP[..., 1])
    for data in (
        imagecodecs.png_encode(grey),
        saved_tiff(grey, photometric="minisblack"),
        saved_tiff(65535 - grey, photometric="miniswhite"),
    ):
        rgb = decode(data, LIMITS).rgb
        assert rgb.dtype == np.uint16
        np.testing.assert_array_equal(rgb, np.repeat(grey[..., None], 3, axis=2))


def test_premultiplied_alpha_of_a_16_bit_tiff_is_taken_out_of_the_colours() -> None:
    cover = np.maximum(DEEP_ALPHA, 20_000)
    held = np.rint(DEEP * (cover[..., None] / 65535)).astype(np.uint16)
    photo = decode(saved_tiff(np.dstack((held, cover)), photometric="rgb", extrasamples=["assocalpha"]), LIMITS)
    assert np.abs(photo.rgb.astype(int) - DEEP).max() <= 3
    np.testing.assert_array_equal(photo.alpha, cover)


def test_cmyk_of_16_bits_becomes_rgb_of_8_bits() -> None:
    inks = np.zeros((16, 16, 4), np.uint16)
    inks[..., 0] = 65535
    photo = decode(saved_tiff(inks, photometric="separated"), LIMITS)
    assert photo.rgb[0, 0].tolist() == [0, 255, 255]


# Kinds of pictures


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_png_of_every_kind_is_read(mode: str) -> None:
    image = (
        Image.fromarray(np.ascontiguousarray(DEEP[..., 1])) if mode == "I;16" else Image.fromarray(RGB).convert(mode)
    )
    photo = decode(saved(image, "PNG"), LIMITS)
    assert photo.rgb.shape == RGB.shape
    assert (photo.alpha is not None) == mode.endswith("A")
    assert distance(photo.rgb / (257 if mode == "I;16" else 1), RGB) < 130


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_of_every_kind_is_read(mode: str) -> None:
    photo = decode(saved(Image.fromarray(RGB).convert(mode), "JPEG", quality=95), LIMITS)
    assert photo.rgb.shape == RGB.shape
    assert distance(photo.rgb, RGB) < (60 if mode == "L" else 4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_tiff_of_every_kind_is_read(mode: str) -> None:
    assert decode(saved(Image.fromarray(RGB).convert(mode), "TIFF"), LIMITS).rgb.shape == RGB.shape


@pytest.mark.parametrize("file_format", ["png", "webp", "tiff"])
def test_alpha_is_kept(file_format: PhotoFormat) -> None:
    data = saved(np.dstack((RGB, ALPHA)), file_format, lossless=True)
    image = opened(render_photo(data, DARKER).data)
    np.testing.assert_array_equal(np.asarray(image)[..., 3], ALPHA)


@pytest.mark.parametrize("transparency", [7, bytes(range(256))])
def test_transparency_of_a_palette_becomes_alpha(transparency: int | bytes) -> None:
    image = Image.fromarray(RGB).quantize(256)
    alpha = decode(saved(image, "PNG", transparency=transparency), LIMITS).alpha
    assert alpha is not None
    index = np.asarray(image)
    np.testing.assert_array_equal(alpha, index if isinstance(transparency, bytes) else np.where(index == 7, 0, 255))


def test_jpeg_has_no_alpha_so_the_photo_lies_on_white() -> None:
    clear = np.dstack((np.zeros_like(RGB), np.zeros_like(ALPHA)))
    image = opened(render_photo(saved(clear, "PNG"), NEUTRAL, format="jpeg").data)
    assert image.mode == "RGB"
    assert np.asarray(image).min() == 255


@pytest.mark.parametrize("file_format", ["png", "webp", "tiff"])
def test_of_several_pictures_the_first_is_rendered(file_format: PhotoFormat) -> None:
    frames = [Image.fromarray(frame) for frame in (RGB, 255 - RGB, RGB // 2)]
    data = saved(frames[0], file_format, save_all=True, append_images=frames[1:], lossless=True)
    image = opened(render_photo(data, NEUTRAL, format="png").data)
    assert getattr(image, "n_frames", 1) == 1
    np.testing.assert_array_equal(np.asarray(image), RGB)


# Metadata


def camera_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Recolor"
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.ISOSpeedRatings: 400,
        ExifTags.Base.ExifImageWidth: 64,
        ExifTags.Base.ExifImageHeight: 48,
        ExifTags.Base.ColorSpace: 65535,
    }
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (52.0, 31.0, 12.5)}
    return exif


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright(orientation: int) -> None:
    data = saved(RGB, "PNG", exif=camera_exif(orientation))
    rendered = render_photo(data, NEUTRAL)
    by_pillow = Image.fromarray(RGB)
    by_pillow.getexif()[ExifTags.Base.Orientation] = orientation
    np.testing.assert_array_equal(np.asarray(opened(rendered.data)), np.asarray(ImageOps.exif_transpose(by_pillow)))
    assert rendered.size == ((64, 48) if orientation < 5 else (48, 64))


@pytest.mark.parametrize(("source", "deep"), [*product(FORMATS, [False]), ("png", True), ("tiff", True)])
@pytest.mark.parametrize("target", FORMATS)
def test_exif_is_kept_except_what_described_the_old_file(source: PhotoFormat, target: PhotoFormat, deep: bool) -> None:
    if deep or source == "tiff":  # Pillow does not save nested EXIF as TIFF
        data = encode(Photo(DEEP if deep else RGB, None, source, camera_exif(6)), source).data
    else:
        data = saved(RGB, source, exif=camera_exif(6))
    image = opened(render_photo(data, NEUTRAL, format=target).data)
    assert image.size == (48, 64)
    exif = image.getexif()
    assert exif[ExifTags.Base.Make] == "Recolor"
    assert exif.get(ExifTags.Base.Orientation, 1) == 1
    details = exif.get_ifd(ExifTags.IFD.Exif)
    assert details[ExifTags.Base.ISOSpeedRatings] == 400
    assert details[ExifTags.Base.ExifImageWidth] == 48
    assert details[ExifTags.Base.ColorSpace] == 1
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    assert place[ExifTags.GPS.GPSLatitude] == (52.0, 31.0, 12.5)
    assert target == "tiff" or ExifTags.Base.StripOffsets not in exif


def test_a_profile_of_another_colour_space_is_converted() -> None:
    adobe = imagecodecs.cms_profile("adobergb")
    green = np.full((8, 8, 3), (0, 200, 0), np.uint8)
    expected = np.asarray(
        ImageCms.profileToProfile(
            Image.fromarray(RGB),
            ImageCms.ImageCmsProfile(BytesIO(adobe)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
    )
    assert distance(decode(saved(RGB, "PNG", icc_profile=adobe), LIMITS).rgb, expected) < 0.5
    assert distance(expected, RGB) > 1
    image = opened(render_photo(saved(green, "PNG", icc_profile=adobe), NEUTRAL).data)
    assert image.info["icc_profile"] == srgb_profile()


def test_a_profile_is_converted_in_16_bits() -> None:
    adobe = imagecodecs.cms_profile("adobergb")
    ramp = np.repeat(np.arange(20_000, 20_000 + 4096, dtype=np.uint16)[None, :, None], 3, axis=2)
    rgb = decode(saved_tiff(ramp, photometric="rgb", iccprofile=adobe), LIMITS).rgb
    assert len(np.unique(rgb[0, :, 1])) > 3000
    assert distance(rgb, ramp) > 10


def test_srgb_by_any_name_changes_no_bit() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(decode(saved(RGB, "PNG", icc_profile=profile), LIMITS).rgb, RGB)


@pytest.mark.parametrize("deep", [False, True])
def test_a_grey_profile_is_a_curve(deep: bool) -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None], 8, axis=0)
    if deep:
        grey = grey.astype(np.uint16) * 257
    data = saved_tiff(grey, photometric="minisblack", iccprofile=grey_profile(1.0))
    rgb = decode(data, LIMITS).rgb / (257 if deep else 1)
    level = np.arange(256) / 255
    encoded = 255 * np.where(level <= 0.0031308, 12.92 * level, 1.055 * level ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(rgb[0, :, 1], encoded, atol=1.5)


def test_cmyk_is_converted_by_its_profile() -> None:
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[:, 8:, 1] = 255
    image = Image.frombytes("CMYK", (16, 16), inks.tobytes())
    rgb = decode(saved(image, "TIFF", icc_profile=cmyk_profile()), LIMITS).rgb
    assert rgb[0, 0].tolist() == [255, 255, 255]
    assert np.abs(rgb[0, 15].astype(int) - (236, 92, 148)).max() <= 2


def test_a_profile_for_another_kind_of_picture_is_passed_over() -> None:
    data = saved(RGB, "PNG", icc_profile=cmyk_profile())
    np.testing.assert_array_equal(decode(data, LIMITS).rgb, RGB)


# What is refused


def test_limits_are_checked_before_pixels_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(RGB, "PNG")
    for module, name in ((Image.Image, "load"), (imagecodecs, "png_decode"), (imagecodecs, "tiff_decode")):
        monkeypatch.setattr(module, name, lambda *_: pytest.fail("pixels were decoded"))
    assert refusal(data, PhotoLimits(max_bytes=len(data) - 1)).reason == "too_large"
    error = refusal(data, PhotoLimits(max_pixels=64 * 48 - 1))
    assert error.reason == "too_large"
    assert "64 x 48" in str(error)


def png_of(width: int, height: int, depth: int = 8) -> bytes:
    """A PNG whose header promises a size, and little else."""
    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        png_chunk(name, content) for name, content in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    )


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [
        (0, 10, "damaged"),
        (10, 0, "damaged"),
        (2**31 - 1, 2**31 - 1, "too_large"),
        (2**32 - 1, 1, "too_large"),
        (60_000, 60_000, "too_large"),
        (4000, 4000, "damaged"),
    ],
)
def test_absurd_sizes_are_refused(width: int, height: int, depth: int, reason: str) -> None:
    assert refusal(png_of(width, height, depth)).reason == reason


@pytest.mark.parametrize("width", [0, 65_535])
def test_jpeg_with_an_absurd_size_is_refused(width: int) -> None:
    data = bytearray(saved(RGB, "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65_535, width)
    assert refusal(bytes(data)).reason == ("damaged" if width == 0 else "too_large")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "damaged"),
        (b"\xff\xd8\xff", "damaged"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"RIFF\x04\0\0\0WEBP", "damaged"),
        (b"II*\0\x08\0\0\0", "damaged"),
        (b"hello, this is no photo", "unsupported"),
        (b"%PDF-1.7 " * 20, "unsupported"),
        (saved(RGB, "GIF"), "unsupported"),
        (saved(RGB, "BMP"), "unsupported"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported"),
    ],
)
def test_what_is_no_photo_is_refused(data: bytes, reason: str) -> None:
    assert refusal(data).reason == reason


def test_pixels_that_are_no_colours_are_refused() -> None:
    assert refusal(saved_tiff(RGB[..., 0].astype(np.float32))).reason == "unsupported"
    assert refusal(saved_tiff(DEEP[..., 0].astype(np.int16))).reason == "unsupported"
    assert refusal(saved_tiff(RGB, photometric="rgb", subfiletype=1)).reason == "unsupported"


def test_a_format_that_is_not_written_is_refused() -> None:
    assert "bmp" in str(refusal(saved(RGB, "PNG"), format="bmp"))


def test_a_side_too_long_for_webp_is_refused() -> None:
    error = refusal(saved(np.zeros((1, 16_384, 3), np.uint8), "PNG"), format="webp")
    assert error.reason == "unsupported"
    assert "16383" in str(error)


def test_a_corrupt_profile_is_refused() -> None:
    for profile in (b"no profile", srgb_profile()[:200], srgb_profile()[:128] + b"\xff" * 400):
        assert refusal(saved(RGB, "PNG", icc_profile=profile)).reason == "damaged"


def test_a_corrupt_exif_is_refused_or_passed_over() -> None:
    for exif in (b"Exif\0\0nonsense", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(30)):
        data = saved(RGB, "JPEG", exif=exif)
        with suppress(PhotoError):
            assert opened(render_photo(data, NEUTRAL).data).size == (64, 48)


def test_profile_that_inflates_to_gigabytes_is_refused() -> None:
    bomb = png_chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(200_000_000), 9))
    png = saved(RGB, "PNG")
    assert refusal(png[:33] + bomb + png[33:]).reason == "damaged"


SOURCES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved(RGB, "JPEG", exif=camera_exif(6), icc_profile=srgb_profile()),
    "png": lambda: saved(RGB, "PNG", exif=camera_exif(6), icc_profile=srgb_profile()),
    "webp": lambda: saved(RGB, "WEBP", exif=camera_exif(6), icc_profile=srgb_profile()),
    "tiff": lambda: encode(Photo(RGB, ALPHA, "tiff", camera_exif(6)), "tiff").data,
    "tiff lzw": lambda: saved(RGB, "TIFF", compression="tiff_lzw", icc_profile=srgb_profile()),
    "png 16": lambda: encode(Photo(DEEP, DEEP_ALPHA, "png", camera_exif(6)), "png").data,
    "tiff 16": lambda: encode(Photo(DEEP, DEEP_ALPHA, "tiff", camera_exif(6)), "tiff").data,
    "tiff 16 lzw": lambda: saved_tiff(DEEP, photometric="rgb", compression="lzw", predictor=True),
}


@pytest.mark.parametrize("source", SOURCES)
def test_files_that_are_cut_short_are_refused(source: str) -> None:
    data = SOURCES[source]()
    for length in np.linspace(12, len(data) * 0.9, 25).astype(int):
        assert refusal(data[:length]).reason in {"damaged", "unsupported", "too_large"}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.filterwarnings("ignore")
def test_damaged_bytes_raise_nothing_but_photo_errors(source: str) -> None:
    data, chance = SOURCES[source](), random.Random(source)
    for _ in range(150):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 12)):
            # Half of the damage is done to the headers, where it hurts.
            broken[chance.randrange(len(data) if chance.random() < 0.5 else min(400, len(data)))] = chance.randrange(
                256
            )
        with suppress(PhotoError):
            encode(decode(bytes(broken), PhotoLimits(max_pixels=1_000_000)), chance.choice(FORMATS))

"""Photo files: bytes in, the graded photo's bytes out.

    decode (limits, pixels, ICC to sRGB, upright) -> grade -> encode (sRGB, EXIF)

Read and written: JPEG, PNG, WebP and TIFF with 8 bits a channel; PNG and TIFF also with 16, which stay 16 (of
CMYK: 8). Grey, palette and CMYK photos become RGB; alpha is kept, except in JPEG, which has none: there the photo is
laid on white. Of an animation or a file of several pages only the first picture is rendered and written.

Of the metadata EXIF is kept, except what described the old file: orientation, layout, preview, colour space. XMP and
IPTC are not carried over.

Pillow holds colours in 8 bits only, so 16-bit files are read by imagecodecs (libpng, libtiff), which also writes PNG
and converts colours (Little CMS) in both depths.
"""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from typing import Any, Literal, get_args

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from app.grade import Grade
from app.render.pipeline import apply_grade

PhotoFormat = Literal["jpeg", "png", "webp", "tiff"]
Reason = Literal["too_large", "unsupported", "damaged"]
Samples = NDArray[Any]
"""uint8 or uint16."""

JPEG_QUALITY = WEBP_QUALITY = 95
PNG_LEVEL = 3
"""Of 9: twice as fast as the usual 6, files some percent larger."""

_LONGEST_SIDE = {"jpeg": 65_500, "webp": 16_383}
_LONGEST_JPEG_EXIF = 65_533
_STRIP_BYTES = 1 << 20
_UNCHANGED, _ON_ITS_SIDE = 1, 5
"""EXIF orientations: 1 is upright, from 5 on width and height are exchanged."""

_T = ExifTags.Base
_OLD_FILE = frozenset(
    {254, 255, _T.ImageWidth, _T.ImageLength, _T.BitsPerSample, _T.Compression, _T.PhotometricInterpretation, 263, 264}
    | {265, _T.FillOrder, _T.StripOffsets, _T.Orientation, _T.SamplesPerPixel, _T.RowsPerStrip, _T.StripByteCounts}
    | {280, 281, _T.PlanarConfiguration, 288, 289, 290, 291, 292, 293, _T.TransferFunction, _T.Predictor}
    | {_T.WhitePoint, _T.PrimaryChromaticities, _T.ColorMap, *range(321, 326), _T.SubIFDs, 332, 334, 336, 338, 339}
    | {340, 341, _T.JPEGTables, *range(512, 522), 529, 530, 531, 532}
    # XMP, IPTC, Photoshop's resources and layers, ICC: they hold previews, sizes and colour spaces of the old picture.
    | {700, 33723, 34377, 34675, 37724}
)


class PhotoError(ValueError):
    """A photo that cannot be rendered. The message is for who sent it and says what to do.

    Attributes:
        reason: ``too_large`` (beyond a limit), ``unsupported`` (a kind of file that is not handled) or ``damaged``.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True)
class PhotoLimits:
    """What is refused before any pixel is decoded."""

    max_bytes: int = 64 * 1024 * 1024
    max_pixels: int = 64_000_000


@dataclass(frozen=True)
class Photo:
    """A decoded photo, upright.

    Attributes:
        rgb: sRGB, [H, W, 3], uint8 or uint16.
        alpha: [H, W] of the same type, not premultiplied; None where the file has none.
        format: what the file was.
        exif: what is kept of it; may be empty.
    """

    rgb: Samples
    alpha: Samples | None
    format: PhotoFormat
    exif: Image.Exif


@dataclass(frozen=True)
class RenderedPhoto:
    """A photo file and what it is. `size` is width and height in pixels."""

    data: bytes
    media_type: str
    size: tuple[int, int]


def render_photo(
    data: bytes,
    grade: Grade,
    strength: float = 100,
    limits: PhotoLimits = PhotoLimits(),
    format: PhotoFormat | None = None,  # noqa: A002 - as Pillow calls it
) -> RenderedPhoto:
    """The photo under a grade, written in `format`, by default the format it came in.

    JPEG is written with quality 95 and full colour resolution (4:4:4), WebP with quality 95. Raises PhotoError.
    """
    if format is not None and format not in get_args(PhotoFormat):
        wanted = ", ".join(get_args(PhotoFormat))
        raise PhotoError("unsupported", f"Photos are not written as {str(format)[:20]!r}; ask for one of {wanted}.")
    photo = decode(data, limits)
    _check_fits(photo, format or photo.format)
    return encode(replace(photo, rgb=_graded(photo.rgb, grade, strength)), format or photo.format)


def decode(data: bytes, limits: PhotoLimits) -> Photo:
    """The first picture of a file. Raises PhotoError."""
    if len(data) > limits.max_bytes:
        raise _too_large(f"{len(data) / 1e6:.1f} MB", f"{limits.max_bytes / 1e6:.1f} MB")
    file_format = _format_of(data)
    with _reading("The file"):
        image = Image.open(BytesIO(data), formats=[file_format.upper()])
        _check_picture(image, limits)
    with _reading("The picture"):
        samples, alpha = _deep_samples(image, data) if _is_deep(image) else _shallow_samples(image)
    with _reading("The colour profile (ICC)"):
        rgb = _to_srgb(samples, image.info.get("icc_profile") or b"")
    with _reading("The EXIF data"):
        # Only now: PNG may hold it behind the pixels; and Pillow turns a TIFF upright while it loads the pixels.
        exif = image.getexif()
        orientation = exif.get(_T.Orientation, _UNCHANGED)
        rgb, alpha = _upright(rgb, orientation), None if alpha is None else _upright(alpha, orientation)
        _describe_anew(exif, rgb)
    return Photo(rgb, alpha, file_format, exif)


def encode(photo: Photo, file_format: PhotoFormat) -> RenderedPhoto:
    """The photo as a file in sRGB. 16 bits stay 16 in PNG and TIFF. Raises PhotoError if the format cannot hold it."""
    _check_fits(photo, file_format)
    height, width = photo.rgb.shape[:2]
    write = {"jpeg": _jpeg, "png": _png, "webp": _webp, "tiff": _tiff}[file_format]
    return RenderedPhoto(write(photo), f"image/{file_format}", (width, height))


def _graded(rgb: Samples, grade: Grade, strength: float) -> Samples:
    if rgb.dtype == np.uint8:
        return apply_grade(rgb, grade, strength)
    # float32 holds 24 bits: a grade that changes nothing gives every one of the 16 back.
    graded = apply_grade(np.divide(rgb, 65535, dtype=np.float32), grade, strength)
    quantised: Samples = np.rint(graded * np.float32(65535)).astype(np.uint16)
    return quantised


# What may be read


@contextmanager
def _reading(part: str) -> Iterator[None]:
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


def _format_of(data: bytes) -> PhotoFormat:
    if not data:
        raise PhotoError("damaged", "The file is empty; send a photo.")
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
        return "tiff"
    raise PhotoError("unsupported", "This is not a JPEG, PNG, WebP or TIFF file; save the photo as one of them.")


def _check_picture(image: ImageFile.ImageFile, limits: PhotoLimits) -> None:
    """What the header says: the size, and whether this is the picture itself."""
    width, height = image.size
    if width < 1 or height < 1:
        raise PhotoError("damaged", f"The photo has no pixels ({width} x {height}); save it again.")
    if width * height > limits.max_pixels:
        measured = f"{width * height / 1e6:.1f} megapixels ({width} x {height})"
        raise _too_large(measured, f"{limits.max_pixels / 1e6:.1f} megapixels")
    # Raw files are TIFFs by their first bytes; what lies in front is a preview.
    if isinstance(image, TiffImageFile) and (image.tag_v2.get(254, 0) & 1 or _T.DNGVersion in image.tag_v2):
        raise PhotoError("unsupported", "This is a camera's raw file; develop it and save it as JPEG or TIFF.")


def _check_fits(photo: Photo, file_format: PhotoFormat) -> None:
    longest, most = max(photo.rgb.shape[:2]), _LONGEST_SIDE.get(file_format)
    if most is not None and longest > most:
        text = f"A side of {longest} pixels does not fit into {file_format}, which ends at {most}; ask for png or tiff."
        raise PhotoError("unsupported", text)


def _too_large(measured: str, allowed: str) -> PhotoError:
    return PhotoError("too_large", f"The photo has {measured}, {allowed} are allowed; make it smaller and try again.")


# Pixels


def _shallow_samples(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Up to 8 bits, by Pillow: [H, W, 1 grey | 3 RGB | 4 CMYK], and alpha."""
    if image.mode in {"1", "L", "LA"}:
        colours = "L"
    elif image.mode in {"P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"}:
        colours = "RGB"
    elif image.mode == "CMYK":
        colours = "CMYK"
    else:
        raise _unknown_samples()
    image.load()
    alpha = None
    if image.has_transparency_data:
        image = image.convert(f"{colours}A")
        alpha = np.asarray(image.getchannel("A"))
    samples = np.asarray(image.convert(colours))
    return samples.reshape(*samples.shape[:2], -1), alpha


def _is_deep(image: ImageFile.ImageFile) -> bool:
    if isinstance(image, TiffImageFile):
        # libtiff makes RGB of 8 bits of CMYK by itself, so inks are left to Pillow, which keeps them apart.
        inks = image.tag_v2.get(_T.PhotometricInterpretation) == 5
        return not inks and 16 in image.tag_v2.get(_T.BitsPerSample, (1,))
    return image.format == "PNG" and "16" in str(image.tile[0].args)


def _deep_samples(image: Image.Image, data: bytes) -> tuple[NDArray[np.uint16], NDArray[np.uint16] | None]:
    """16 bits: [H, W, 1 grey | 3 RGB], and alpha."""
    if isinstance(image, TiffImageFile):
        return _deep_tiff(image.tag_v2, data)
    samples = imagecodecs.png_decode(data)
    samples = samples.reshape(*samples.shape[:2], -1)
    if samples.shape[2] in {2, 4}:
        return samples[..., :-1], samples[..., -1]
    return samples, None


def _deep_tiff(tags: ImageFileDirectory_v2, data: bytes) -> tuple[NDArray[np.uint16], NDArray[np.uint16] | None]:
    photometric, count = tags.get(_T.PhotometricInterpretation, -1), tags.get(_T.SamplesPerPixel, 1)
    colours = {0: 1, 1: 1, 2: 3}.get(photometric, 0)
    if not colours <= count <= colours + 2 or not colours or set(tags.get(339, (1,))) != {1}:
        raise _unknown_samples()
    size = tags[_T.ImageLength], tags[_T.ImageWidth]
    planes = count > 1 and tags.get(_T.PlanarConfiguration, 1) == 2
    # Given an array, libtiff's idea of the size must be the one that was checked.
    samples = np.empty((count, *size) if planes else (*size, count) if count > 1 else size, np.uint16)
    imagecodecs.tiff_decode(data, index=0, out=samples)
    samples = np.moveaxis(samples, 0, -1) if planes else samples.reshape(*size, count)
    extra = (*tags.get(338, ()), 0)[0] if count > colours else 0
    alpha = samples[..., colours] if extra in {1, 2} else None
    samples = samples[..., :colours]
    if photometric == 0:
        samples = 65535 - samples
    if alpha is not None and extra == 1:
        samples = _unmultiplied(samples, alpha)
    return samples, alpha


def _unmultiplied(samples: NDArray[np.uint16], alpha: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Premultiplied samples as they are without alpha; what is wholly transparent stays as it is."""
    scale = np.float32(65535) / np.maximum(alpha, 1).astype(np.float32)
    scale[alpha == 0] = 1
    return np.rint(np.minimum(samples * scale[..., None], 65535)).astype(np.uint16)


def _unknown_samples() -> PhotoError:
    text = "Pixels of this kind are not handled; save the photo as RGB or grey with 8 or 16 bits a channel."
    return PhotoError("unsupported", text)


def _upright(pixels: Samples, orientation: int) -> Samples:
    """The array [H, W, ...] as it is meant to be seen. An orientation that EXIF does not know changes nothing."""
    if orientation not in range(1, 9):
        return pixels
    if orientation >= _ON_ITS_SIDE:
        pixels = pixels.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in {3, 4, 7, 8} else 1)
    columns = slice(None, None, -1 if orientation in {2, 3, 6, 7} else 1)
    return np.ascontiguousarray(pixels[rows, columns])


# Colours


def _to_srgb(samples: Samples, icc: bytes) -> Samples:
    """[H, W, 1 grey | 3 RGB | 4 CMYK] as sRGB [H, W, 3], of the same type.

    Without a profile RGB and grey are taken for sRGB. So they are with a profile for another kind of picture, as
    browsers do. Raises what Little CMS raises on a profile that is none.
    """
    profile = ImageCms.ImageCmsProfile(BytesIO(icc)) if icc else None
    space = profile.profile.xcolor_space.strip() if profile else ""
    if samples.shape[2] == 1:
        if profile and space == "GRAY":
            return _grey_curve(profile, samples.dtype)[samples[..., 0]]
        samples = np.repeat(samples, 3, axis=2)
    if (samples.shape[2], space) in {(3, "RGB"), (4, "CMYK")}:
        return _converted(samples, icc, space)
    return samples if samples.shape[2] == 3 else _plain_cmyk(samples)


def _converted(samples: Samples, icc: bytes, space: str) -> Samples:
    if space == "RGB":
        steps = np.arange(0, 256, 15, dtype=np.uint8)
        probe = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        if np.abs(_transformed(probe, icc, space).astype(int) - probe).max() <= 1:
            return samples  # sRGB under whatever name: not one bit is lost to rounding
    return _transformed(samples, icc, space)


def _transformed(samples: Samples, icc: bytes, space: str) -> Samples:
    return imagecodecs.cms_transform(
        np.ascontiguousarray(samples),
        icc,
        srgb_profile(),
        colorspace=space,
        outcolorspace="RGB",
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
        flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION,
    )


def _grey_curve(profile: ImageCms.ImageCmsProfile, dtype: np.dtype[np.uint8] | np.dtype[np.uint16]) -> Samples:
    """A grey profile is one curve: sRGB [levels, 3] for every level of grey."""
    levels = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    srgb = ImageCms.ImageCmsProfile(BytesIO(srgb_profile()))
    curve: Samples = np.asarray(
        ImageCms.profileToProfile(
            levels, profile, srgb, renderingIntent=intent, outputMode="RGB", flags=ImageCms.Flags.NOOPTIMIZE
        )
    )[0]
    if dtype == np.uint8:
        return curve
    fine = np.interp(np.arange(65536), np.arange(256) * 257.0, curve[:, 1] * 257.0)
    return np.repeat(np.rint(fine).astype(np.uint16)[:, None], 3, axis=1)


def _plain_cmyk(samples: Samples) -> Samples:
    """CMYK of unknown inks: what each ink leaves of the light, times what black leaves."""
    full = np.iinfo(samples.dtype).max
    light = (full - samples).astype(np.float32)
    rgb: Samples = np.rint(light[..., :3] * light[..., 3:] / np.float32(full)).astype(samples.dtype)
    return rgb


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """The ICC profile that is written, without the time of day that Little CMS puts in: equal photos stay equal."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:]


# Metadata


def _describe_anew(exif: Image.Exif, rgb: Samples) -> None:
    """EXIF without what was true of the old file only."""
    turned = _T.Orientation in exif
    for tag in _OLD_FILE.intersection(exif):
        del exif[tag]
    if turned:
        exif[_T.Orientation] = _UNCHANGED
    for tag in {ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo}.intersection(exif):
        exif[tag] = dict(exif.get_ifd(tag))  # read now, where an offset into the old file was
    if details := exif.get(ExifTags.IFD.Exif):
        new = {_T.ColorSpace: 1, _T.ExifImageWidth: rgb.shape[1], _T.ExifImageHeight: rgb.shape[0]}
        details.update({tag: value for tag, value in new.items() if tag in details})
        details.pop(ExifTags.IFD.Interop, None)  # names the colour space once more
    exif.tobytes()  # what cannot be written shows here, while the photo is read


def _exif_bytes(exif: Image.Exif) -> bytes:
    return exif.tobytes() if len(exif) else b""


# Files


def _jpeg(photo: Photo) -> bytes:
    exif = _exif_bytes(photo.exif)
    output = BytesIO()
    Image.fromarray(_on_white(_in_8_bits(photo))).save(
        output,
        "JPEG",
        quality=JPEG_QUALITY,
        subsampling="4:4:4",
        icc_profile=srgb_profile(),
        exif=exif if len(exif) <= _LONGEST_JPEG_EXIF else b"",  # JPEG has no room for more
    )
    return output.getvalue()


def _webp(photo: Photo) -> bytes:
    output = BytesIO()
    picture = Image.fromarray(_pixels(_in_8_bits(photo)))
    picture.save(output, "WEBP", quality=WEBP_QUALITY, icc_profile=srgb_profile(), exif=_exif_bytes(photo.exif))
    return output.getvalue()


def _png(photo: Photo) -> bytes:
    png = imagecodecs.png_encode(_pixels(photo), level=PNG_LEVEL)
    after_header = 8 + 25
    metadata = _chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile()))
    if exif := _exif_bytes(photo.exif):
        metadata += _chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    return b"".join((png[:after_header], metadata, png[after_header:]))


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _tiff(photo: Photo) -> bytes:
    """Deflate with horizontal differences, in strips of about a megabyte (TIFF 6.0, section 14)."""
    pixels = _pixels(photo)
    height, width, count = pixels.shape
    rows = max(1, _STRIP_BYTES // (pixels[0].nbytes))
    strips = [_strip(pixels[top : top + rows]) for top in range(0, height, rows)]
    lengths = [len(strip) for strip in strips]
    tags = ImageFileDirectory_v2(prefix=b"II")
    layout = {
        _T.ImageWidth: width,
        _T.ImageLength: height,
        _T.BitsPerSample: (8 * pixels.itemsize,) * count,
        _T.Compression: 8,
        _T.PhotometricInterpretation: 2,
        _T.SamplesPerPixel: count,
        _T.RowsPerStrip: rows,
        _T.StripByteCounts: tuple(lengths),
        _T.StripOffsets: tuple(int(end) for end in np.cumsum([0, *lengths[:-1]])),  # Pillow adds where they begin
        _T.Predictor: 2,
        34675: srgb_profile(),
    } | ({338: 2} if count == 4 else {})
    for tag, value in [*photo.exif.items(), *layout.items()]:
        tags[tag] = value
    tags.tagtype[_T.StripOffsets] = tags.tagtype[_T.StripByteCounts] = 4  # 32 bits, however small the first ones are
    output = BytesIO()
    tags.save(output)
    output.writelines(strips)
    return output.getvalue()


def _strip(pixels: Samples) -> bytes:
    steps = pixels.copy()
    steps[:, 1:] -= pixels[:, :-1]
    return zlib.compress(steps.astype(steps.dtype.newbyteorder("<"), copy=False).tobytes(), PNG_LEVEL)


def _pixels(photo: Photo) -> Samples:
    """[H, W, 3], or 4 with alpha."""
    return np.ascontiguousarray(photo.rgb if photo.alpha is None else np.dstack((photo.rgb, photo.alpha)))


def _in_8_bits(photo: Photo) -> Photo:
    if photo.rgb.dtype == np.uint8:
        return photo
    alpha = None if photo.alpha is None else _rounded(photo.alpha)
    return replace(photo, rgb=_rounded(photo.rgb), alpha=alpha)


def _rounded(samples: Samples) -> NDArray[np.uint8]:
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _on_white(photo: Photo) -> NDArray[np.uint8]:
    """8-bit RGB, laid on white where it is transparent."""
    if photo.alpha is None:
        return np.ascontiguousarray(photo.rgb)
    cover = photo.alpha[..., None].astype(np.uint16)
    return ((photo.rgb * cover + 255 * (255 - cover) + 127) // 255).astype(np.uint8)

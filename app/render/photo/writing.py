"""From pixels to a file in sRGB."""

import struct
import zlib
from dataclasses import replace
from io import BytesIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.render.photo.captions import jpeg_segment
from app.render.photo.formats import PhotoFormat, check_fits
from app.render.photo.metadata import exif_bytes
from app.render.photo.model import Photo, RenderedPhoto, Samples, packed
from app.render.photo.profiles import srgb_profile
from app.render.photo.tiff import write_tiff

JPEG_QUALITY = WEBP_QUALITY = 95
PNG_LEVEL = 3
"""Of 9: twice as fast as the usual 6, files some percent larger."""
_LONGEST_JPEG_EXIF = 65_533
_LONGEST_JPEG_XMP = 65_504


def encode(photo: Photo, file_format: PhotoFormat) -> RenderedPhoto:
    """The photo as a file in sRGB. 16 bits stay 16 in PNG and TIFF. Raises PhotoError if the format cannot hold it."""
    height, width = photo.rgb.shape[:2]
    check_fits((width, height), file_format)
    write = {"jpeg": _jpeg, "png": _png, "webp": _webp, "tiff": write_tiff}[file_format]
    return RenderedPhoto(write(photo), f"image/{file_format}", (width, height))


def _jpeg(photo: Photo) -> bytes:
    exif = exif_bytes(photo.exif)
    output = BytesIO()
    Image.fromarray(_on_white(_in_8_bits(photo))).save(
        output,
        "JPEG",
        quality=JPEG_QUALITY,
        subsampling="4:4:4",
        icc_profile=srgb_profile(),
        # JPEG has no room for more.
        exif=exif if len(exif) <= _LONGEST_JPEG_EXIF else b"",
        xmp=photo.xmp if len(photo.xmp) <= _LONGEST_JPEG_XMP else b"",
        extra=jpeg_segment(photo.iptc),
    )
    return output.getvalue()


def _webp(photo: Photo) -> bytes:
    output = BytesIO()
    picture = Image.fromarray(packed(_in_8_bits(photo)))
    metadata = {"icc_profile": srgb_profile(), "exif": exif_bytes(photo.exif), "xmp": photo.xmp}
    picture.save(output, "WEBP", quality=WEBP_QUALITY, **metadata)
    return output.getvalue()


def _png(photo: Photo) -> bytes:
    png = imagecodecs.png_encode(packed(photo), level=PNG_LEVEL)
    after_header = 8 + 25
    metadata = _chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile()))
    if exif := exif_bytes(photo.exif):
        metadata += _chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    if photo.xmp:
        metadata += _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + photo.xmp)
    return b"".join((png[:after_header], metadata, png[after_header:]))


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


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

"""HEIC and HEIF, the photos of phones: read by libheif, which also turns them upright.

Of the file only the main picture is decoded: no previews, no depth, no map that adds HDR where a screen shows it.
"""

from io import BytesIO

import imagecodecs
import numpy as np
import pillow_heif
from PIL import ImageFile
from pillow_heif.as_plugin import HeifImageFile

from app.render.photo.errors import PhotoError
from app.render.photo.model import Samples

pillow_heif.options.THUMBNAILS = pillow_heif.options.DEPTH_IMAGES = pillow_heif.options.AUX_IMAGES = False

_HDR = {16: "PQ", 18: "HLG"}
_SRGB_PRIMARIES = {1, 2}  # 2 is unspecified
_CURVE_POINTS = 4096


def open_heic(data: bytes) -> ImageFile.ImageFile:
    """The file's headers. Raises PhotoError for HDR, and what libheif raises."""
    image: ImageFile.ImageFile = HeifImageFile(BytesIO(data))  # type: ignore[no-untyped-call]
    transfer = image.info.get("nclx_profile", {}).get("transfer_characteristics")
    if transfer in _HDR:
        text = f"The photo is HDR ({_HDR[transfer]}), and grades are made for SDR; save it as a JPEG or PNG in SDR."
        raise PhotoError("unsupported", text)
    return image


def read_heic(image: ImageFile.ImageFile, data: bytes) -> tuple[Samples, Samples | None, bool]:
    """[H, W, 1 grey | 3 RGB], uint8 or (from 10 and 12 bits) uint16; alpha; and whether colours are multiplied by it.

    Args:
        image: what `open_heic` gave.
        data: the same file.
    """
    picture = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    samples = np.asarray(picture)
    if samples.shape[1::-1] != image.size:
        raise PhotoError("damaged", "The photo is not of the size that its header says; open it and save it again.")
    if bits := picture.mode.partition(";")[2]:
        full = (1 << int(bits)) - 1
        samples = ((samples.astype(np.uint32) * 65535 + full // 2) // full).astype(np.uint16)
    samples = samples.reshape(*samples.shape[:2], -1)
    if not picture.has_alpha:
        return samples, None, False
    return samples[..., :-1], samples[..., -1], picture.premultiplied_alpha


def heic_profile(image: ImageFile.ImageFile) -> bytes:
    """An ICC profile of the colours that a file describes by numbers only (nclx); none for those of sRGB."""
    said = image.info.get("nclx_profile", {})
    if said.get("color_primaries", 2) in _SRGB_PRIMARIES:
        return b""
    white = [said["color_primary_white_x"], said["color_primary_white_y"], 1.0]
    primaries = [
        number
        for name in ("red", "green", "blue")
        for number in (said[f"color_primary_{name}_x"], said[f"color_primary_{name}_y"], 1.0)
    ]
    encoded = np.linspace(0, 1, _CURVE_POINTS)
    curve = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    curve = curve.astype(np.float32)
    profile: bytes = imagecodecs.cms_profile("rgb", whitepoint=white, primaries=primaries, transferfunction=curve)
    return profile

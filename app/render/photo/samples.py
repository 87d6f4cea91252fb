"""The pixels of an opened file, as it holds them.

By Pillow up to 8 bits a channel, by imagecodecs with 16; HEIC by libheif.
"""

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from app.render.photo.errors import PhotoError
from app.render.photo.heic import read_heic
from app.render.photo.model import Samples

_T = ExifTags.Base


def read_samples(image: ImageFile.ImageFile, data: bytes) -> tuple[Samples, Samples | None]:
    """[H, W, 1 grey | 3 RGB | 4 CMYK], uint8 or uint16, and alpha [H, W] where there is one.

    Args:
        image: the file as Pillow opened it, no pixel loaded yet.
        data: the same file.
    """
    if image.format == "HEIF":
        samples, alpha, premultiplied = read_heic(image, data)
        return (_unmultiplied(samples, alpha) if alpha is not None and premultiplied else samples), alpha
    return _deep_samples(image, data) if _is_deep(image) else _shallow_samples(image)


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


def _unmultiplied(samples: Samples, alpha: Samples) -> Samples:
    """Premultiplied samples as they are without alpha; what is wholly transparent stays as it is."""
    full = np.float32(np.iinfo(samples.dtype).max)
    scale = full / np.maximum(alpha, 1).astype(np.float32)
    scale[alpha == 0] = 1
    unmultiplied: Samples = np.rint(np.minimum(samples * scale[..., None], full)).astype(samples.dtype)
    return unmultiplied


def _unknown_samples() -> PhotoError:
    text = "Pixels of this kind are not handled; save the photo as RGB or grey with 8 or 16 bits a channel."
    return PhotoError("unsupported", text)

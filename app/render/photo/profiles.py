"""Colour profiles (ICC): whatever the file's colours are, they become sRGB."""

import struct
from functools import lru_cache
from io import BytesIO

import imagecodecs
import numpy as np
from PIL import Image, ImageCms

from app.render.photo.model import Samples


def to_srgb(samples: Samples, icc: bytes) -> Samples:
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

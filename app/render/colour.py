"""Colour spaces, and the limits that keep colours inside sRGB.

Arrays are float32 of shape [..., 3]. Three spaces are used: sRGB as it is stored (*encoded*, IEC 61966-2-1), the same
primaries in *linear* light, where light adds up, and OKLab (Björn Ottosson, "A perceptual color space for image
processing", 2020), where lightness, chroma and hue are what eyes see.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# Rec. 709: the share of each primary in luminance (linear light) and in luma (encoded values).
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)

# OKLab: linear sRGB to cone responses, and their cube roots to lightness and the two opponent axes.
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_OPPONENTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_TO_CONES, _TO_LAB = _CONES.T.astype(np.float32), _OPPONENTS.T.astype(np.float32)
_FROM_CONES, _FROM_LAB = np.linalg.inv(_CONES).T.astype(np.float32), np.linalg.inv(_OPPONENTS).T.astype(np.float32)

# Above this share of the range a roll-off bends; below it nothing changes.
_KNEE = np.float32(0.5)

# Light that may be clipped above white: else a bright sky or petal, whose largest channel is full, gained no colour.
_CLIPPED = np.float32(0.12)


def linear(encoded: Array) -> Array:
    """Linear light of encoded sRGB, both 0..1."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encode(light: Array) -> Array:
    """Encoded sRGB of linear light, both 0..1; what is outside is clipped."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def luminance(light: Array) -> Array:
    """Relative luminance of linear sRGB (of encoded sRGB: luma), shape [...]."""
    return np.asarray(light @ LUMINANCE, np.float32)


def oklab(light: Array) -> Array:
    """OKLab (lightness 0..1, a, b) of linear sRGB."""
    return np.asarray(np.cbrt(light @ _TO_CONES) @ _TO_LAB, np.float32)


def from_oklab(lab: Array) -> Array:
    """Linear sRGB of OKLab; colours that sRGB does not have come out below 0 or above 1."""
    return _cubed(lab @ _FROM_LAB) @ _FROM_CONES


def oklch(light: Array) -> Array:
    """OKLCh of linear sRGB: lightness 0..1, chroma (the purest sRGB colour has 0.32), hue in degrees 0..360."""
    lightness, a, b = np.moveaxis(oklab(light), -1, 0)
    return np.stack([lightness, np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360], axis=-1)


def from_oklch(lch: Array) -> Array:
    """Linear sRGB of OKLCh, not limited to 0..1."""
    lightness, chroma, hue = np.moveaxis(lch, -1, 0)
    angle = np.radians(hue)
    return from_oklab(np.stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)], axis=-1))


def roll_off(value: Array, top: Array | float) -> Array:
    """Bends 0..`top` into 0..1 without a corner: unchanged up to 0.5, above it ever flatter.

    `top` is at least 1; a top of 1 changes nothing. The shape is the tone operator of Reinhard et al., "Photographic
    tone reproduction for digital images" (2002), equation 4, whose white is `top`.
    """
    over = np.maximum(value - _KNEE, 0) / (1 - _KNEE)
    white = (np.maximum(top, 1) - _KNEE) / (1 - _KNEE)
    bent = over * (1 + over / white**2) / (1 + over)
    return np.asarray(np.minimum(value, _KNEE) + (1 - _KNEE) * bent, np.float32)


def fit(lab: Array, gain: Array | float = 1.0) -> Array:
    """Linear sRGB 0..1 of OKLab colours whose chroma grew by `gain`, shape [..., 1] or one number.

    What grows is the linear light's distance to the grey of the same lightness, which cannot turn back on its way to
    the boundary of sRGB, as rays of constant OKLab hue do near blue. It is rolled off in proportion to the gain, so
    that two shades of a vivid colour do not become one, and what was outside before comes straight back.
    """
    gain = np.maximum(gain, 1).astype(np.float32)
    grey = _cubed(np.clip(lab[..., :1], 0, 1))
    offset = from_oklab(np.concatenate([lab[..., :1], lab[..., 1:] / gain], axis=-1)) - grey
    room = np.where(offset > 0, 1 + _CLIPPED - grey, grey)
    # The share of the way from grey to the boundary: above 1 it is outside.
    reach = np.max(np.abs(offset) / np.maximum(room, 1e-6), axis=-1, keepdims=True)
    kept = np.minimum(roll_off(reach * gain, gain), 1) / np.maximum(reach, 1e-6)
    return np.clip(grey + offset * np.where(reach > 1e-5, kept, gain), 0, 1).astype(np.float32)


def _cubed(x: Array) -> Array:
    return x * x * x  # several times as fast as a power

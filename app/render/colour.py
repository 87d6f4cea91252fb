"""Colour spaces.

Colours are float32 arrays of shape [..., 3]. Three spaces are used: sRGB as it is stored (*encoded*, IEC 61966-2-1),
the same primaries in *linear* light, where light adds up, and OKLab (Björn Ottosson, "A perceptual color space for
image processing", 2020), where lightness, chroma and hue are what eyes see.

Any memory layout is taken; what is given back has its channels one after the other in memory (see `joined`), for
whole planes are computed several times as fast as every third number.
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
_FROM_CONES, _FROM_OPPONENTS = np.linalg.inv(_CONES), np.linalg.inv(_OPPONENTS)


def channels(colours: Array) -> tuple[Array, Array, Array]:
    """The three channels of colours [..., 3], each of shape [...]: views, not copies."""
    return colours[..., 0], colours[..., 1], colours[..., 2]


def joined(first: Array, second: Array, third: Array) -> Array:
    """Three channels of shape [...] as colours [..., 3], without mixing them in memory."""
    return np.moveaxis(np.stack((first, second, third)), 0, -1)


def linear(encoded: Array) -> Array:
    """Linear light of encoded sRGB, both 0..1."""
    light = power(encoded * np.float32(1 / 1.055) + np.float32(0.055 / 1.055), 2.4)
    return _either(encoded <= np.float32(0.04045), encoded * np.float32(1 / 12.92), light)


def encode(light: Array) -> Array:
    """Encoded sRGB of linear light, both 0..1; what is outside is clipped."""
    light = np.clip(light, 0, 1)
    bright = power(np.maximum(light, np.float32(0.0031308)), 1 / 2.4)
    bright *= np.float32(1.055)
    bright -= np.float32(0.055)
    return _either(light <= np.float32(0.0031308), light * np.float32(12.92), bright)


def largest(colours: Array) -> Array:
    """The largest channel, [...]: several times as fast as NumPy's own maximum over so short an axis."""
    first, second, third = channels(colours)
    return np.asarray(np.maximum(np.maximum(first, second), third))


def smallest(colours: Array) -> Array:
    """The smallest channel, [...]."""
    first, second, third = channels(colours)
    return np.asarray(np.minimum(np.minimum(first, second), third))


def luminance(light: Array) -> Array:
    """Relative luminance of linear sRGB (of encoded sRGB: luma), shape [...]."""
    red, green, blue = LUMINANCE
    return np.asarray(red * light[..., 0] + green * light[..., 1] + blue * light[..., 2], np.float32)


def oklab(light: Array) -> Array:
    """OKLab (lightness 0..1, a, b) of linear sRGB."""
    cones = np.maximum(_mixed(light, _CONES), np.float32(1e-12))
    return _mixed(power(cones, 1 / 3), _OPPONENTS)


def from_oklab(lab: Array) -> Array:
    """Linear sRGB of OKLab; colours that sRGB does not have come out below 0 or above 1."""
    roots = _mixed(lab, _FROM_OPPONENTS)
    return _mixed(roots * roots * roots, _FROM_CONES)


def oklch(light: Array) -> Array:
    """OKLCh of linear sRGB: lightness 0..1, chroma (the purest sRGB colour has 0.32), hue in degrees 0..360."""
    lightness, a, b = channels(oklab(light))
    return joined(lightness, np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360)


def from_oklch(lch: Array) -> Array:
    """Linear sRGB of OKLCh, not limited to 0..1."""
    lightness, chroma, hue = channels(lch)
    angle = np.radians(hue)
    return from_oklab(joined(lightness, chroma * np.cos(angle), chroma * np.sin(angle)))


def power(value: Array, exponent: float) -> Array:
    """Of numbers above 0; by way of logarithms, since those are vectorised on every processor."""
    result: Array = np.asarray(np.log(value))
    result *= np.float32(exponent)
    np.exp(result, out=result)
    return result


def smooth(x: Array) -> Array:
    """0 up to 0, 1 from 1 on; between them it rises and is flat at both ends."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _either(first: NDArray[np.bool_], where_first: Array, elsewhere: Array) -> Array:
    """`np.where`, several times as fast. Both are finite, and may be overwritten."""
    where_first -= elsewhere
    where_first *= first
    where_first += elsewhere
    return where_first


def _mixed(colours: Array, matrix: NDArray[np.float64]) -> Array:
    """Each channel of the result is a sum of the channels: a product, written out for so small a matrix."""
    first, second, third = channels(colours)
    result = np.empty((3, *first.shape), np.float32)
    for index, (of_first, of_second, of_third) in enumerate(matrix.astype(np.float32)):
        np.multiply(first, of_first, out=result[index, ...])
        result[index] += second * of_second
        result[index] += third * of_third
    return np.moveaxis(result, 0, -1)

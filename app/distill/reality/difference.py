"""How different two pictures look: CIEDE2000.

Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary test data, and
mathematical observations", Color Research and Application 30 (2005); equation numbers below are theirs. About 1 is the
least difference that is seen between colours side by side, 5 is plain, 10 and more is another colour.
"""

from dataclasses import dataclass
from math import pi, radians

import numpy as np
from numpy.typing import NDArray

from app.render.colour import Array, linear

Pixels = NDArray[np.uint8]
Floats = NDArray[np.floating]

# IEC 61966-2-1: linear sRGB to CIE XYZ; its white (D65) is what 1, 1, 1 becomes.
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_TO_WHITE_SHARES = (_TO_XYZ / _TO_XYZ.sum(axis=1, keepdims=True)).T.astype(np.float32)

# CIE 1976 L*a*b*: below this share of white the cube root gives way to a line.
_DARK = (6 / 29) ** 3

_LINEAR = linear((np.arange(256) / 255).astype(np.float32))

_FAR = 25.0**7
"""A chroma of 25, the scale on which greys count as greys (eq. 4, 19)."""


@dataclass(frozen=True, slots=True)
class Difference:
    """CIEDE2000 between two pictures: the mean over their pixels, and the pixel at the 95th percentile."""

    mean: float
    p95: float


def difference(a: Array, b: Array) -> Difference:
    """Of two pictures as `lab` gives them, of the same shape."""
    each = ciede2000(a, b)
    return Difference(float(each.mean()), float(np.percentile(each, 95)))


def lab(picture: Pixels) -> Array:
    """CIE L*a*b* under D65 of an sRGB picture, shape [..., 3] uint8: lightness 0..100, then the two opponent axes."""
    shares = _LINEAR[picture] @ _TO_WHITE_SHARES
    root = np.where(shares > _DARK, np.cbrt(shares), shares / (3 * (6 / 29) ** 2) + 4 / 29).astype(np.float32)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(a: Floats, b: Floats) -> Floats:
    """The difference of L*a*b* colours of shape [..., 3], pair by pair: shape [...], at least 0."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)
    # Greys get a little more a, so that their chroma spreads as eyes see it (eq. 2..7).
    stretch = 1 + 0.5 * (1 - _greyness((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.arctan2(b1, a1) % (2 * pi), np.arctan2(b2, a2) % (2 * pi)

    coloured = c1 * c2 != 0
    turn = h2 - h1
    turn = np.where(np.abs(turn) > pi, turn - np.sign(turn) * 2 * pi, turn) * coloured  # the shorter way (eq. 10)
    lightness, chroma, hue = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(turn / 2)

    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    # Half the way along that turn (eq. 14); a grey has no hue, so that of the other one counts.
    mean_h = np.where(coloured, h1 + turn / 2, h1 + h2) % (2 * pi)

    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    s_c = 1 + 0.045 * mean_c
    s_h = 1 + 0.015 * mean_c * _hue_weight(mean_h)
    lightness, chroma, hue = lightness / s_l, chroma / s_c, hue / s_h
    squares = lightness**2 + chroma**2 + hue**2 + _rotation(mean_c, mean_h) * chroma * hue
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def _hue_weight(hue: Floats) -> Floats:
    """T: how much a turn of the hue is seen, by the hue in radians (eq. 15)."""
    return np.asarray(
        1
        - 0.17 * np.cos(hue - radians(30))
        + 0.24 * np.cos(2 * hue)
        + 0.32 * np.cos(3 * hue + radians(6))
        - 0.20 * np.cos(4 * hue - radians(63))
    )


def _rotation(chroma: Floats, hue: Floats) -> Floats:
    """R_T: around blue, chroma and hue are seen together (eq. 16, 17, 21)."""
    around_blue = radians(30) * np.exp(-(((np.degrees(hue) - 275) / 25) ** 2))
    return np.asarray(-np.sin(2 * around_blue) * 2 * _greyness(chroma))


def _greyness(chroma: Floats) -> Floats:
    """0 for greys, towards 1 for vivid colours: sqrt(c^7 / (c^7 + 25^7))."""
    seventh = chroma**7
    return np.asarray(np.sqrt(seventh / (seventh + _FAR)))

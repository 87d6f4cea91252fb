"""Bloom, sharpen and structure: what a pixel becomes depends on those around it.

Amounts are 1..100. All radii are shares of the longer side, so that a preview shows what the full picture will be;
wide blurs are computed on a small copy. Sharpen and structure move luma only, so that no edge gets a coloured seam and
a grey picture stays grey.

Each step looks at the whole picture first, and is then computed on one band of it after the other (see `bands`):
planes [3, rows, W] of encoded sRGB 0..1 to new planes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.render.bands import Grown, Picture, shrunk
from app.render.colour import LUMINANCE, Array, encode, linear, smooth

Step = Callable[[Array, slice], Array]
"""A band's planes, and which rows of the picture they are, to new planes."""

_SMALL = 512  # the longer side, in pixels, of the copy on which wide blurs are computed

_GLOWS_FROM = 0.5  # luma from which on a light blooms
_NARROW_GLOW, _WIDE_GLOW = 0.008, 0.035  # standard deviations, shares of the longer side
_BLOOM = 0.9

_SHARPEN_RADIUS = 1 / 2500  # standard deviation: 1.6 pixels at 12 megapixels
_SHARPEN_LEAST = 0.6  # pixels: below it the blur is none
_SHARPEN, _OVERSHOOT = 1.6, 0.12

_STRUCTURE_RADIUS = 0.012  # half the side of the window
_STRUCTURE_EDGE = 0.015  # variance of luma above which a difference is an edge and not texture
_STRUCTURE = 1.5


def structure(picture: Picture, amount: int) -> Step:
    """Local contrast: texture grows, edges between large areas stay.

    Texture is what a guided filter takes away (He, Sun and Tang, "Guided image filtering", 2010; coefficients from a
    small copy as in their "Fast guided filter", 2015). Less of it in the deepest shadows and brightest lights.
    """
    small = _luma(shrunk(picture, _SMALL))
    radius = max(1, round(_STRUCTURE_RADIUS * max(small.shape)))
    window = np.full(2 * radius + 1, 1 / (2 * radius + 1), np.float32)
    mean = _blurred(small, window)
    variance = np.maximum(_blurred(small * small, window) - mean * mean, 0)
    slope = variance / (variance + np.float32(_STRUCTURE_EDGE))
    lines = Grown(_blurred(np.stack([slope, mean - slope * mean]), window), *picture.shape[:2])
    strength = np.float32(_STRUCTURE * amount / 100)

    def textured(band: Array, rows: slice) -> Array:
        luma, (base, offset) = _luma(band), lines(rows)
        base *= luma
        base += offset
        middle = luma * 2
        middle -= 1
        middle *= middle
        middle *= middle
        return _shifted(band, (luma - base) * (1 - middle) * strength)

    return textured


def bloom(picture: Picture, amount: int) -> Step:
    """Light from the highlights spills over what is around them.

    Added in linear light, where light adds up, as a screen (1 - (1 - a)(1 - b)), which never clips.
    """
    small = shrunk(picture, _SMALL)
    lights = linear(small) * smooth((_luma(small) - np.float32(_GLOWS_FROM)) / np.float32(1 - _GLOWS_FROM))
    side = max(small.shape[1:])
    narrow, wide = (_blurred(lights, _gaussian(share * side)) for share in (_NARROW_GLOW, _WIDE_GLOW))
    glow = Grown((narrow + wide) * np.float32(0.5 * _BLOOM * amount / 100), *picture.shape[:2])

    def glowing(band: Array, rows: slice) -> Array:
        dark = np.minimum(glow(rows), 1)
        dark -= 1
        lacking = linear(band)
        lacking -= 1
        dark *= lacking
        return encode(np.subtract(1, dark, out=dark))

    return glowing


@dataclass(frozen=True, slots=True)
class Sharpen:
    """Unsharp mask on luma; the overshoot at strong edges is held down, so that no edge gets a halo.

    Attributes:
        amount: 1..100.
        side: the longer side of the picture.
    """

    amount: int
    side: int

    @property
    def weights(self) -> Array:
        return _gaussian(max(_SHARPEN_RADIUS * self.side, _SHARPEN_LEAST))

    @property
    def reach(self) -> int:
        """How many rows beyond a band decide about it."""
        return len(self.weights) // 2

    def __call__(self, band: Array, above: int, below: int) -> Array:
        """The band without the rows above and below it that only were there to be looked at.

        These are `reach` rows, or as many as there are: beyond its border the picture goes on as it ends there.
        """
        luma, (weights, reach) = _luma(band), (self.weights, self.reach)
        padded = np.pad(luma, ((reach - above, reach - below), (reach, reach)), mode="edge")
        rows = slice(above, band.shape[1] - below)
        detail = luma[rows] - _weighted(_weighted(padded, weights).T, weights).T
        held_down = np.abs(detail)
        held_down *= np.float32(1 / _OVERSHOOT)
        held_down += 1
        detail /= held_down
        return _shifted(band[:, rows], detail * np.float32(_SHARPEN * self.amount / 100))


def _luma(planes: Array) -> Array:
    red, green, blue = (plane * share for plane, share in zip(planes, LUMINANCE, strict=True))
    red += green
    red += blue
    return np.asarray(red)


def _shifted(planes: Array, luma: Array) -> Array:
    """The planes with a difference added to their luma, and so to each channel."""
    shifted = planes + luma
    np.clip(shifted, 0, 1, out=shifted)
    return shifted


def _gaussian(sigma: float) -> Array:
    reach = max(1, round(3 * sigma))
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum(), np.float32)


def _blurred(planes: Array, weights: Array) -> Array:
    """Weighted means over the last two axes; beyond its border a plane goes on as it ends there."""
    down, across = (_weights_of_all(length, weights) for length in planes.shape[-2:])
    return np.asarray(down @ planes @ across.T)


def _weights_of_all(length: int, weights: Array) -> Array:
    """A blur as a matrix [length, length]: for small planes a product is the fastest way to a wide blur."""
    matrix, lines = np.zeros((length, length), np.float32), np.arange(length)
    for away, weight in enumerate(weights, start=-(len(weights) // 2)):
        matrix[lines, np.clip(lines + away, 0, length - 1)] += weight
    return matrix


def _weighted(lines: Array, weights: Array) -> Array:
    """Weighted means over the first axis, of those lines that have all their neighbours."""
    reach = len(weights) // 2
    count = len(lines) - 2 * reach
    total: Array = lines[reach : reach + count] * weights[reach]
    for away in range(1, reach + 1):
        pair = lines[reach - away : reach - away + count] + lines[reach + away : reach + away + count]
        pair *= weights[reach + away]
        total += pair
    return total

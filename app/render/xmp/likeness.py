"""What editors with sliders can show of a filter: a curve a channel, and a turn and a gain for each range of hues.

A filter is more than that (its colours also depend on how light and how pure they are), so this is a likeness: that of
greys is exact, unless the filter makes a grey darker than the one below it; that of everyday colours is near. It is
fitted to the filter as it is rendered, hence right for a new or changed preset.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.grade import Filter
from app.render.colour import Array, encode, from_oklch, linear, luminance, oklab
from app.render.presets import look

LEVELS = np.linspace(0, 1, 256, dtype=np.float32)

_EVERYDAY = [(lightness, chroma) for lightness in (0.45, 0.6, 0.75) for chroma in (0.05, 0.1)]
_COLOURLESS = 0.02  # a gain of chroma below which a picture is grey


@dataclass(frozen=True)
class Likeness:
    """Curves of the channels, and what is done to colours beside them.

    Attributes:
        curves: encoded output of `LEVELS`, shape [256, 3]; each rises, or falls, all along.
        saturation: factor of chroma over all hues; 0 is grey.
        gains: factor of chroma by hue, beyond `saturation`.
        turns: degrees by which hues turn.
    """

    curves: Array
    saturation: float
    gains: Array
    turns: Array


def likeness(settings: Filter | None, hues: Array) -> Likeness:
    """The likeness of a filter at its intensity, with gains and turns at OKLab hues given in degrees, shape [n]."""
    filtered = _filtered(settings)
    curves = np.stack([_monotone(channel) for channel in filtered(_greys(LEVELS)).T], axis=-1)

    def curved(rgb: Array) -> Array:
        channels = [np.interp(rgb[..., channel], LEVELS, curves[:, channel]) for channel in range(3)]
        return np.stack(channels, axis=-1).astype(np.float32)

    lch = np.array([[(light, chroma, hue) for light, chroma in _EVERYDAY] for hue in hues], np.float32)
    colours = encode(from_oklch(lch))
    before, after = _colour_of(curved, colours), _colour_of(filtered, colours)
    # Least squares over complex numbers: the modulus is the gain of chroma, the angle the turn.
    ratio = (before.conj() * after).sum(axis=1) / np.maximum((np.abs(before) ** 2).sum(axis=1), 1e-9)
    gains = np.abs(ratio).astype(np.float32)
    saturation = float(gains.mean())
    if saturation < _COLOURLESS:
        return Likeness(curves, 0, np.ones_like(gains), np.zeros_like(gains))
    return Likeness(curves, saturation, gains / saturation, np.degrees(np.angle(ratio)).astype(np.float32))


def _filtered(settings: Filter | None) -> Callable[[Array], Array]:
    if settings is None or not settings.is_used:
        return lambda rgb: rgb
    full, share = look(settings.name), np.float32(settings.intensity / 100)
    return lambda rgb: rgb + (full(rgb) - rgb) * share


def _colour_of(change: Callable[[Array], Array], rgb: Array) -> NDArray[np.complex64]:
    """What colours are beside the grey of their luminance once both are changed: OKLab's a + bi."""
    lab, grey = (oklab(linear(change(colours))) for colours in (rgb, _greys(encode(luminance(linear(rgb))))))
    beside = lab[..., 1:] - grey[..., 1:]
    return np.asarray(beside[..., 0] + 1j * beside[..., 1], np.complex64)


def _greys(values: Array) -> Array:
    return np.repeat(values[..., None], 3, axis=-1)


def _monotone(curve: Array) -> Array:
    """The rising or falling curve that is nearest to one with dents: where a tone curve turns back, edges appear.

    Midway between the running extreme from either side: the least largest difference that there can be.
    """
    if curve[-1] < curve[0]:
        return _monotone(curve[::-1])[::-1]
    return np.asarray((np.maximum.accumulate(curve) + np.minimum.accumulate(curve[::-1])[::-1]) / 2, np.float32)

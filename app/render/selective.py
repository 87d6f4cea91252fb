"""The `selective_adjust` tool: saturation and luminance by range of hues, in OKLCh.

Every hue belongs to the two ranges around it, with weights that add up to one and change without a corner: what is
between orange and yellow gets half of each. Greys have no hue: a range's luminance fades out towards them (its
saturation need not, since there is nothing to saturate).
"""

import numpy as np

from app.grade import SelectiveAdjust
from app.render.colour import Array, encode, linear, smooth
from app.render.gamut import HUES, Shades, along, fit

# OKLab hues in degrees. Red, green, cyan and blue are near sRGB's own; orange is where skin is (45..65), yellow a
# little towards amber, where petals, sand and lamps are.
CENTRES = {"red": 25.0, "orange": 58.0, "yellow": 102.0, "green": 143.0, "cyan": 195.0, "blue": 258.0}

_GREY = 0.01  # chroma without any hue
_COLOUR = 0.07  # chroma from which on a hue counts in full
_BRIGHTEN, _DARKEN = 0.65, 0.3


def selective(rgb: Array, settings: SelectiveAdjust) -> Array:
    """The picture under `settings`.

    Args:
        rgb: encoded sRGB 0..1, shape [..., 3].
        settings: the selective adjust tool's settings.

    Returns:
        Encoded sRGB 0..1 of the same shape.
    """
    if not settings.is_used:
        return rgb
    light = linear(rgb)
    shades = Shades.of(light)
    gain, amount = along(shades.hue, *_curves(settings))
    coloured = smooth((shades.chroma - np.float32(_GREY)) / np.float32(_COLOUR - _GREY))
    return encode(fit(shades.saturated_by_hue(gain).lightened(amount * coloured).lab, light))


def hue_weights(hue: Array) -> Array:
    """The share of each range in OKLab hues given in degrees: shape [..., 6], in the order of `CENTRES`, sum 1."""
    centres = np.array([*CENTRES.values()], np.float32)
    gaps = np.roll(centres, -1) - centres
    gaps[-1] += 360
    past = (hue[..., None] - centres) % 360
    falling = np.where(past < gaps, 1 - smooth(past / gaps), 0)  # from a centre to the next one
    rising = np.where(past < gaps, smooth(past / gaps), 0)
    weights: Array = (falling + np.roll(rising, 1, axis=-1)).astype(np.float32)
    return weights


_WEIGHTS = hue_weights(np.arange(HUES, dtype=np.float32) * np.float32(360 / HUES))


def _curves(settings: SelectiveAdjust) -> tuple[Array, Array]:
    """Gain of chroma, and amount of light, by hue."""
    ranges = [getattr(settings, name) for name in CENTRES]
    saturation = _WEIGHTS @ np.array([r.saturation / 100 for r in ranges], np.float32)
    luminance = _WEIGHTS @ np.array([r.luminance / 100 for r in ranges], np.float32)
    return 1 + saturation, luminance * np.where(luminance > 0, np.float32(_BRIGHTEN), np.float32(_DARKEN))

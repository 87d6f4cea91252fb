"""The `selective_adjust` tool: saturation and luminance by range of hues, in OKLCh.

Every hue belongs to the two ranges around it, with weights that add up to one and change without a corner: what is
between orange and yellow gets half of each. Greys have no hue: a range's luminance fades out towards them (its
saturation need not, since there is nothing to saturate).
"""

import numpy as np

from app.grade import SelectiveAdjust
from app.render.colour import Array, encode, fit, linear, oklab

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
    lab = oklab(linear(rgb))
    lightness, chroma = lab[..., :1], np.hypot(lab[..., 1:2], lab[..., 2:3])
    weights = hue_weights(np.degrees(np.arctan2(lab[..., 2], lab[..., 1])))
    ranges = [getattr(settings, name) for name in CENTRES]
    saturation = weights @ np.array([[r.saturation / 100] for r in ranges], np.float32)
    luminance = weights @ np.array([[r.luminance / 100] for r in ranges], np.float32)
    # Near white there is room downwards only. Chroma follows lightness, as when more or less light falls on a thing.
    step = luminance * np.where(luminance > 0, _BRIGHTEN * (1 - lightness), np.float32(_DARKEN))
    brighter = 1 + step * _smooth(np.asarray((chroma - _GREY) / (_COLOUR - _GREY), np.float32))
    gain = (1 + saturation) * brighter
    return encode(fit(np.concatenate([lightness * brighter, lab[..., 1:] * gain], axis=-1), gain))


def hue_weights(hue: Array) -> Array:
    """The share of each range in OKLab hues given in degrees: shape [..., 6], in the order of `CENTRES`, sum 1."""
    centres = np.array([*CENTRES.values()], np.float32)
    gaps = np.roll(centres, -1) - centres
    gaps[-1] += 360
    past = (hue[..., None] - centres) % 360
    falling = np.where(past < gaps, 1 - _smooth(past / gaps), 0)  # from a centre to the next one
    rising = np.where(past < gaps, _smooth(past / gaps), 0)
    return (falling + np.roll(rising, 1, axis=-1)).astype(np.float32)


def _smooth(x: Array) -> Array:
    """From 0 at 0 to 1 at 1, flat at both ends."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)

"""The `adjust` tool without its spatial parameters: encoded sRGB in, encoded sRGB out, each pixel for itself.

The order is that of a raw developer:

1. Light (linear sRGB): temperature and tint as gains of the three primaries, exposure as a gain of 2^(exposure/40);
   what would pass white is rolled off, so that nothing clips.
2. Tone (encoded sRGB): brightness, contrast, highlights, shadows and linear offset, one curve. Black stays black and
   white stays white, but for a linear offset above zero, which lifts black.
3. Colour (OKLCh): hue, then vibrance and saturation, inside sRGB (see `gamut`).

A step whose parameters are zero is left out, so neutral settings change no bit.
"""

from collections.abc import Callable

import numpy as np

from app.grade import Adjust
from app.render.colour import LUMINANCE, Array, channels, encode, joined, largest, linear, oklab, smallest, smooth
from app.render.gamut import Shades, fit, roll_off

# Linear sRGB of a D50 white seen by a D65 eye (CIE 15): what daylight two hours before sunset does to a white sheet.
_WARM_WHITE = np.array([1.1765, 0.9761, 0.7218], np.float32)
_WARM_WHITE_AT = 33  # the temperature that gives this white
_MAGENTA = np.array([0.28, -0.28, 0.28], np.float32)  # natural logarithms of the gains at tint 100

STOP = 40
"""Units of exposure that double the light."""

_CONTRAST_STEEPNESS = 6.5
_CONTRAST_CENTRE = 0.48  # leaves middle grey (0.18 linear, 0.46 encoded) where it is

# Skin of every complexion has an OKLab hue near 50 degrees; vibrance spares the hues around it.
_SKIN_HUE = np.radians(52)
_SKIN_WIDTH = np.cos(np.radians(45))
_SKIN_SPARED = 0.75
_MUTED = 0.13  # chroma at which vibrance has fallen to 1/e


def adjust(rgb: Array, settings: Adjust) -> Array:
    """The picture under `settings`; bloom, sharpen and structure are the business of `spatial`.

    Args:
        rgb: encoded sRGB 0..1, shape [..., 3].
        settings: the adjust tool's settings.

    Returns:
        Encoded sRGB 0..1 of the same shape.
    """
    s = settings
    if s.exposure or s.temperature or s.tint:
        rgb = encode(_lit(linear(rgb), s))
    if s.brightness or s.contrast or s.highlights or s.shadows or s.linearOffset:
        rgb = toned(rgb, lambda value: tone_curve(value, s))
    if s.saturation or s.vibrance or s.hue % 360:
        rgb = encode(_coloured(linear(rgb), s))
    return np.clip(rgb, 0, 1)


def white_gains(temperature: int, tint: int) -> Array:
    """Gains of linear R, G, B that keep the luminance of white. Opposite settings cancel out but for that."""
    gains = np.exp(np.log(_WARM_WHITE) * (temperature / _WARM_WHITE_AT) + _MAGENTA * (tint / 100))
    return (gains / (gains @ LUMINANCE)).astype(np.float32)


def _lit(light: Array, s: Adjust) -> Array:
    gains = white_gains(s.temperature, s.tint) * np.float32(2 ** (s.exposure / STOP))
    return toned(light * gains, lambda value: roll_off(value, float(gains.max())))


def toned(rgb: Array, curve: Callable[[Array], Array]) -> Array:
    """A rising curve on the largest and the smallest channel; the middle one keeps its place between the two.

    So no hue turns, as it would if each channel had the curve for itself (the tone curves of Adobe's DNG SDK do the
    same), and the colours of a steeper tone are richer, as on film.
    """
    high, low = largest(rgb), smallest(rgb)
    new_low = curve(low)
    stretch = (curve(high) - new_low) / np.maximum(high - low, np.float32(1e-6))
    return joined(*(new_low + (channel - low) * stretch for channel in channels(rgb)))


def tone_curve(value: Array, s: Adjust) -> Array:
    """The tone parameters on encoded values 0..1: rising for all settings."""
    if s.brightness:
        value = value + 0.8 * s.brightness / 100 * value * (1 - value)
    if s.contrast:
        strength = s.contrast / 100 * (1.0 if s.contrast > 0 else 0.6)
        value = value + strength * (_s_curve(value) - value)
    if s.highlights or s.shadows:
        value = value + _bump(s.shadows) * value * (1 - value) ** 3 - _bump(-s.highlights) * (1 - value) * value**3
    if s.linearOffset > 0:
        lift = 0.35 * s.linearOffset / 100
        value = lift + (1 - lift) * value
    elif s.linearOffset < 0:
        value = _crushed(value, -0.2 * s.linearOffset / 100)
    return np.asarray(value, np.float32)


def _s_curve(value: Array) -> Array:
    """A logistic curve from 0 to 1, steepest at middle grey."""

    def logistic(x: Array | float) -> Array:
        return np.asarray(1 / (1 + np.exp(_CONTRAST_STEEPNESS * (_CONTRAST_CENTRE - x))), np.float32)

    black, white = logistic(0.0), logistic(1.0)
    return (logistic(value) - black) / (white - black)


def _bump(towards_middle: int) -> float:
    """Height of the bump that moves shadows or highlights; away from the middle there is less room."""
    return towards_middle / 100 * (1.45 if towards_middle > 0 else 0.9)


def _crushed(value: Array, black: float) -> Array:
    """Moves the black point up to `black`, with a rounded toe instead of a corner."""
    toe = value**2 / (4 * black)
    return np.asarray(np.where(value < 2 * black, toe, value - black) / (1 - black), np.float32)


def _coloured(light: Array, s: Adjust) -> Array:
    if s.saturation == -100:
        grey = np.clip(oklab(light)[..., :1], 0, 1) ** 3
        return np.repeat(grey, 3, axis=-1)
    shades = Shades.of(light)
    if s.hue % 360:
        shades = shades.turned(np.radians(s.hue))
    if s.saturation or s.vibrance:
        shades = shades.saturated(np.float32(1 + s.saturation / 100) * _vibrance_gain(shades, s.vibrance))
    return fit(shades.lab, light)


def _vibrance_gain(shades: Shades, vibrance: int) -> Array:
    """The gain of chroma: the more muted a colour the larger, less for the hues of skin."""
    muted = np.exp(shades.chroma * np.float32(-1 / _MUTED))
    towards_skin = np.cos(shades.hue - _SKIN_HUE)
    skin = smooth((towards_skin - _SKIN_WIDTH) / (1 - _SKIN_WIDTH))
    return np.asarray(1 + vibrance / 100 * muted * (1 - _SKIN_SPARED * skin), np.float32)

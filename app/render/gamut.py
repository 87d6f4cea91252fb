"""Moving colours about inside sRGB: other hues, more or less chroma, another lightness, and no colour clipped.

sRGB is no round body in OKLCh: its most vivid blue is dark, its most vivid yellow nearly as light as white. Colours
that are only turned there at constant lightness and chroma leave it, and are torn apart where they are cut off. So a
colour is also known by its *vividness*: 0 is grey, 1 the most vivid colour of its hue and all its darker shades, as
the saturation of Okhsv (Björn Ottosson, "Okhsv and Okhsl", 2021). Vividness is met approximately, by a smooth table;
`fit` keeps to the exact limits.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.render.colour import Array, channels, from_oklab, joined, largest, linear, oklab, smallest, smooth

HUES = 8192
"""Points of a curve over all hues, evenly spaced from hue 0 on. So many that the nearest one will do; and a power of
two, so that a full turn is a bit mask."""

# Shares of the range from which on a roll-off bends: of vividness, of the way from grey to where a channel is empty,
# and of the way to where a channel is full.
_VIVID_KNEE, _EMPTY_KNEE, _FULL_KNEE = 0.6, 0.9, 0.8
_MOST = 64  # growth beyond which a roll-off is as good as without end

_MUTED = 0.2  # vividness up to which a turned colour keeps lightness and chroma

_ONE = np.float32(1)

_CUSP_BLUR = 8.0  # degrees (standard deviation)


@dataclass(frozen=True, slots=True)
class Shades:
    """Colours in OKLCh, each array of shape [...]; hues in radians, any number of turns.

    Attributes:
        cusp_lightness, cusp_chroma: those of the most vivid colour of the hue.
    """

    lightness: Array
    chroma: Array
    hue: Array
    cusp_lightness: Array
    cusp_chroma: Array

    @classmethod
    def of(cls, light: Array) -> "Shades":
        """Shades of linear sRGB [..., 3]."""
        lightness, a, b = channels(oklab(light))
        hue = np.arctan2(b, a)
        return cls(lightness, np.sqrt(a * a + b * b), hue, *along(hue, _CUSP_LIGHTNESS, _CUSP_CHROMA))

    @property
    def lab(self) -> Array:
        """OKLab, [..., 3]."""
        return joined(self.lightness, self.chroma * np.cos(self.hue), self.chroma * np.sin(self.hue))

    def shares(self) -> tuple[Array, Array]:
        """Vividness, and value: 0 black, 1 the lightest shade of this vividness, as in Okhsv.

        In a slice of one hue, sRGB is nearly the triangle of black, white and the most vivid colour.
        """
        share: Array = self.chroma / self.cusp_chroma
        value = self.lightness + share * (_ONE - self.cusp_lightness)
        return _ratio(share, value), value

    def turned(self, angle: Array | float) -> "Shades":
        """Hues turned by radians.

        Muted colours keep lightness and chroma; the more vivid a colour, the more of its vividness it keeps instead:
        yellow turned to blue becomes the blue that is as vivid, and darker.
        """
        hue = np.asarray(self.hue + angle, np.float32)
        cusp_lightness, cusp_chroma = along(hue, _CUSP_LIGHTNESS, _CUSP_CHROMA)
        kept = smooth((self.shares()[0] - np.float32(_MUTED)) / np.float32(1 - _MUTED))
        share = kept * self.chroma / self.cusp_chroma
        lightness = self.lightness + share * (cusp_lightness - self.cusp_lightness)
        chroma = self.chroma + share * (cusp_chroma - self.cusp_chroma)
        return Shades(lightness, chroma, hue, cusp_lightness, cusp_chroma)

    def saturated(self, gain: Array | float) -> "Shades":
        """Chroma times `gain`, which the most vivid colours have no room for and others little."""
        gain = np.asarray(gain, np.float32)
        vivid = self.shares()[0] * gain
        factor = gain * kept_by_roll_off(vivid, gain, _VIVID_KNEE)
        return replace(self, chroma=self.chroma * np.maximum(factor, np.minimum(gain, 1)))

    def saturated_by_hue(self, gain: Array, overall: float = 1) -> "Shades":
        """`saturated` with a gain that differs by hue, times one that does not.

        The most vivid colours, which do not follow a gain above 1, follow one below 1 only gradually: else they would
        break off at the hue from which on it is below 1.
        """
        less = 1 - np.minimum(gain, 1)
        vivid = np.minimum(self.shares()[0], 1)
        return self.saturated(overall * gain * (1 + less * vivid**4))

    def lightened(self, amount: Array) -> "Shades":
        """Lighter (0..1) or darker (-1..0) by shares of the room that there is.

        As when more or less light falls on a thing, chroma follows; but the lightest shades come nearer to white.
        """
        value = self.shares()[1]
        up, white = np.maximum(amount, 0), 1 - self.lightness
        lightness = self.lightness * (1 + up * white + np.minimum(amount, 0))
        by_light, by_white = _ratio(lightness, self.lightness), _ratio(1 - lightness, white)
        paled = np.where(amount > 0, np.clip(value, 0, 1) ** 3, 0)
        return replace(self, lightness=lightness, chroma=self.chroma * (by_light + paled * (by_white - by_light)))


def fit(lab: Array, before: Array, knee: float = _EMPTY_KNEE, ease: float = 1) -> Array:
    """Linear sRGB 0..1 of OKLab colours.

    What a channel lacks to be empty or full is rolled off in proportion to how much nearer the colour came to that
    than it was, so that what has not moved stays exactly where it is. Where a channel would fall below 0, the colour
    goes back towards the grey of its lightness; where one would pass 1, the colour is darkened, as skies are in film.

    Args:
        lab: OKLab, shape [..., 3].
        before: linear sRGB 0..1 of the same colours before they were moved.
        knee: share of the way to an empty channel from which on the way is slowed down.
        ease: above 1, the purest colours are held back from that end, too: by so much as if they came from this
            factor further in.
    """
    light, grey = from_oklab(lab), _grey(lab)
    empty = _emptiness(light, grey)
    nearer = _ratio(empty, _emptiness(before, _grey(oklab(before))), 1 / _MOST)
    towards_grey = kept_by_roll_off(empty, np.float32(ease) * np.maximum(nearer, 1), knee)
    light = joined(*(grey + (channel - grey) * towards_grey for channel in channels(light)))
    full = largest(light)
    towards_black = kept_by_roll_off(full, _ratio(full, largest(before), 1 / _MOST), _FULL_KNEE)
    return np.clip(joined(*(channel * towards_black for channel in channels(light))), 0, 1)


def roll_off(value: Array, top: Array | float, knee: float = 0.5) -> Array:
    """Bends 0..`top` into 0..1 without a corner: unchanged up to the knee, above it ever flatter.

    A top of 1 or less changes nothing. The shape is the tone operator of Reinhard et al., "Photographic tone
    reproduction for digital images" (2002), equation 4, whose white is `top`.
    """
    return value * kept_by_roll_off(value, top, knee)


def kept_by_roll_off(value: Array, top: Array | float, knee: float) -> Array:
    """What `roll_off` multiplies a value by: 1 up to the knee, 1 / top at the top."""
    over = np.maximum(value - np.float32(knee), 0)
    white = np.maximum(np.asarray(top, np.float32), 1) - np.float32(knee)
    room = np.float32(1 - knee)
    lost = over * over * (1 - (room / white) ** 2) / (room + over)
    return np.asarray(1 - lost / np.maximum(value, np.float32(knee)), np.float32)


def along(hue: Array, *curves: Array) -> list[Array]:
    """Values at hues (radians) of curves that have HUES points."""
    index = np.rint(hue * np.float32(HUES / (2 * np.pi))).astype(np.intp)
    index &= HUES - 1
    return [curve.take(index) for curve in curves]


def _ratio(part: Array, whole: Array, least: float = 1e-6) -> Array:
    """A quotient by no less than `least`."""
    return np.asarray(part / np.maximum(whole, np.float32(least)), np.float32)


def _grey(lab: Array) -> Array:
    """The light of the grey of the same lightness, [...]."""
    lightness: Array = np.clip(lab[..., 0], np.float32(1e-3), 1)
    return lightness * lightness * lightness


def _emptiness(light: Array, grey: Array) -> Array:
    """How far a colour is on its way from grey to where its smallest channel is empty."""
    return np.asarray(np.maximum(1 - smallest(light) / grey, 0), np.float32)


def _cusps() -> tuple[Array, Array]:
    """Lightness and chroma of the most vivid colour of each hue, without the corners at sRGB's primaries."""
    corners = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [1, 0, 0]], np.float32)
    way = np.linspace(0, 6, 6000, endpoint=False)
    ring = np.stack([np.interp(way, range(7), corners[:, channel]) for channel in range(3)], axis=-1)
    lightness, a, b = channels(oklab(linear(ring.astype(np.float32))))
    turns = np.arctan2(b, a) / (2 * np.pi)
    hues = np.arange(HUES) / HUES
    blur = np.exp(-0.5 * ((hues + 0.5) % 1 * 360 - 180) ** 2 / _CUSP_BLUR**2)

    def blurred(values: NDArray[np.floating]) -> Array:
        exact = np.interp(hues, turns % 1, values, period=1)
        return np.fft.irfft(np.fft.rfft(exact) * np.fft.rfft(blur / blur.sum()), HUES).astype(np.float32)

    return blurred(lightness), blurred(np.hypot(a, b))


_CUSP_LIGHTNESS, _CUSP_CHROMA = _cusps()

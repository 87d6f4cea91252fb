"""How a look is computed: what it does to tones, to colours, and on what paper it prints.

    invert -> inks, or tone -> hues, saturation, casts -> paper

The tone curve is laid on each encoded channel, as film does it; colours are moved in OKLCh, inside sRGB (see `gamut`).
Every step is smooth, so that gradients stay gradients and a LUT of few points shows them.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from app.render.colour import Array, encode, from_oklab, joined, linear, luminance, oklab, smooth
from app.render.gamut import HUES, Shades, along, fit

Colour = tuple[int, int, int]
"""Encoded sRGB, 0..255."""

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)

_TAKES_CASTS = np.float32(0.15)  # chroma at which a colour takes half of a cast
_HUED = np.float32(0.07)  # chroma from which on a hue counts in full; a grey has none

# Colours pushed together must not crowd at the limits of sRGB, where a channel of theirs would break off: the stronger
# the cast that pushes them, the further they are held back.
_KNEE, _EASE_OF_CASTS = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Tone:
    """A tone curve through black and white, on each encoded channel, as film does it: contrast brings colour.

    Attributes:
        light: -1..1, darker or lighter mid-tones.
        contrast: -1..1, steeper or flatter around middle grey.
        shadows: -1..1, deeper or opened shadows.
        highlights: -1..1, recovered or brighter highlights.
    """

    light: float = 0
    contrast: float = 0
    shadows: float = 0
    highlights: float = 0

    def __call__(self, rgb: Array) -> Array:
        # Each bump leaves 0 and 1 in place and keeps the order of tones for any value of its amount.
        if self.shadows:
            dark = 1 - rgb
            rgb = rgb + self.shadows * rgb * dark * dark * dark
        if self.highlights:
            rgb = rgb + self.highlights * rgb * rgb * rgb * (1 - rgb)
        if self.light:
            rgb = rgb + self.light * rgb * (1 - rgb)
        if self.contrast:
            rgb = rgb - self.contrast / (2 * np.pi) * np.sin(2 * np.pi * rgb)
        return np.clip(rgb, 0, 1)


@dataclass(frozen=True, slots=True)
class Cast:
    """A colour laid over a zone of tones: hue in degrees of OKLCh, and chroma (0.03 is seen, 0.1 is strong)."""

    hue: float
    chroma: float


NO_CAST = Cast(0, 0)


@dataclass(frozen=True, slots=True)
class HueMove:
    """What happens to the colours around one hue.

    Attributes:
        at: the hue in degrees of OKLCh.
        reach: degrees to either side at which the move has faded to nothing.
        turn: degrees by which the hue turns; less than 2/π of the reach, so that no two hues change places.
        saturation: factor of chroma.
        lightness: share of the room above (below 0: below), for a chroma of 0.4; less chroma takes less.
    """

    at: float
    reach: float
    turn: float = 0
    saturation: float = 1
    lightness: float = 0

    def weight(self, hue: Array) -> Array:
        """1 at the hue itself, 0 beyond the reach."""
        away = np.abs((hue - self.at + 180) % 360 - 180)
        weight: Array = 0.5 + 0.5 * np.cos(np.pi * np.minimum(away / self.reach, 1))
        return weight.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Look:
    """One preset.

    Attributes:
        tone: the tone curve.
        saturation: factor of chroma over all colours.
        hues: what happens to single hues.
        shadows, midtones, highlights: casts by zone of tones.
        inks: the two colours of a print, for dark and light; everything between is mixed from them in
            OKLab, by luminance alone; the tone curve bends the luminance.
        black, white: the colours that black and white become on the paper: a faded print has no deep black.
        inverted: light and dark, and every colour and its opposite, change places. Comes first.
    """

    tone: Tone = Tone()
    saturation: float = 1
    hues: tuple[HueMove, ...] = ()
    shadows: Cast = NO_CAST
    midtones: Cast = NO_CAST
    highlights: Cast = NO_CAST
    inks: tuple[Colour, Colour] | None = None
    black: Colour = BLACK
    white: Colour = WHITE
    inverted: bool = False

    def __call__(self, rgb: Array) -> Array:
        """The look at full intensity: encoded sRGB 0..1, shape [..., 3], to the same. Unset steps change no bit."""
        if self.inverted:
            rgb = (1 - rgb).astype(np.float32)
        if self.inks:
            rgb = self._print(rgb, *self.inks)
        elif self.tone != Tone():
            rgb = self.tone(rgb)
        if self.hues or self.saturation != 1 or any(cast.chroma for cast in self._casts()):
            rgb = self._coloured(rgb)
        if (self.black, self.white) != (BLACK, WHITE):
            black, white = _encoded(self.black), _encoded(self.white)
            rgb = black + (white - black) * rgb
        return rgb

    def _casts(self) -> tuple[Cast, Cast, Cast]:
        return self.shadows, self.midtones, self.highlights

    def _print(self, rgb: Array, dark: Colour, light: Colour) -> Array:
        ends = oklab(linear(np.stack([_encoded(dark), _encoded(light)])))
        # Mixed by encoded luminance, which is about as even to the eye as lightness.
        share = self.tone(encode(luminance(linear(rgb))))
        return encode(from_oklab(joined(*(low + (high - low) * share for low, high in ends.T))))

    def _coloured(self, rgb: Array) -> Array:
        light = linear(rgb)
        shades = Shades.of(light)
        chroma = shades.chroma
        if self.hues:
            hued = smooth(chroma / _HUED)
            gain, turn, lift = along(shades.hue, *_by_hue(self.hues))
            shades = shades.turned(turn * hued).saturated_by_hue(1 + gain * hued, self.saturation)
            shades = shades.lightened(lift * chroma)
        else:
            shades = shades.saturated(self.saturation)
        lab = shades.lab
        # What has a colour of its own takes less of a cast: a teal shadow must not turn dark red into olive.
        taking = 1 / (1 + (chroma / _TAKES_CASTS) ** 2)
        for cast, zone in zip(self._casts(), _zones(encode(luminance(light))), strict=True):
            if cast.chroma:
                weight, angle = zone * taking * np.float32(cast.chroma), np.float32(np.radians(cast.hue))
                lab = lab + joined(np.zeros_like(weight), weight * np.cos(angle), weight * np.sin(angle))
        ease = 1 + _EASE_OF_CASTS * max(cast.chroma for cast in self._casts())
        return encode(fit(lab, light, _KNEE, ease) if ease > 1 else fit(lab, light))


@lru_cache(maxsize=64)
def _by_hue(moves: tuple[HueMove, ...]) -> tuple[Array, Array, Array]:
    """All moves together, as curves over the hues: gain of chroma less 1, turn in radians, share of lightness."""
    hues = np.arange(HUES, dtype=np.float32) * np.float32(360 / HUES)
    gain, turn, lift = np.ones_like(hues), np.zeros_like(hues), np.zeros_like(hues)
    for move in moves:
        weight = move.weight(hues)
        gain *= 1 + np.float32(move.saturation - 1) * weight
        turn += np.float32(np.radians(move.turn)) * weight
        lift += np.float32(2.5 * move.lightness) * weight
    return gain - 1, turn, lift


def _encoded(colour: Colour) -> Array:
    return np.array(colour, np.float32) / np.float32(255)


def _zones(luma: Array) -> tuple[Array, Array, Array]:
    """How much a tone belongs to shadows, mid-tones and highlights; nothing is laid on pure black and white."""
    there = smooth(luma / np.float32(0.25)) * smooth((1 - luma) / np.float32(0.18))
    shadows = 1 - smooth((luma - np.float32(0.05)) * 2)
    highlights = smooth((luma - np.float32(0.4)) * 2)
    return shadows * there, (1 - shadows - highlights) * there, highlights * there

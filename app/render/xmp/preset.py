"""A grade as a Lightroom preset.

Lightroom has its own tools, so a preset is a translation. What each of our parameters becomes, and how well:

| ours | Lightroom's | |
|---|---|---|
| exposure | Exposure2012, in stops | the same gain of light; each rolls off towards white in its way |
| brightness, linearOffset | the point curve | the same curve, in whole numbers 0..255 |
| contrast, highlights, shadows | Contrast2012, Highlights2012, Shadows2012 | the same number; theirs follow the photo |
| saturation, vibrance | Saturation, Vibrance | the same number; -100 of saturation is grey in both |
| temperature, tint | IncrementalTemperature, IncrementalTint | the same number; for rendered photos, not for raw ones |
| hue | HueAdjustment… of all eight colours | up to 30 degrees, about as far as theirs reach |
| selective adjust | SaturationAdjustment…, LuminanceAdjustment… | the same number; cyan is their Aqua |
| filter | curves of red, green and blue; saturation and hue by colour | greys; everyday colours nearly (`likeness`) |
| structure | Clarity2012 and Texture, half of it each | alike |
| sharpen | Sharpness, 150 for 100 | alike; it takes the place of a raw photo's own sharpening |
| bloom | | left out: there is nothing like it |

Purple and Magenta, which selective adjust does not have, get what it does to colours between blue and red.

A preset sets them all, so that one look takes the place of another; only exposure, white balance and sharpening, which
belong to the single photo, stay as they are where the look does not use them. With less strength every slider and
curve does that share of it.
"""

from collections.abc import Iterator

import numpy as np

from app.grade import Adjust, Grade, SelectiveAdjust
from app.render.adjust import STOP, tone_curve
from app.render.colour import Array
from app.render.selective import CENTRES, hue_weights
from app.render.xmp import packet
from app.render.xmp.likeness import LEVELS, Likeness, likeness

# Lightroom's eight colours by their OKLab hues: our six ranges, and the two between blue and red.
COLOURS = {
    **{"Aqua" if name == "cyan" else name.capitalize(): hue for name, hue in CENTRES.items()},
    "Purple": 300.0,
    "Magenta": 335.0,
}
HUE_REACH = 30
"""Degrees by which a hue slider turns its colour at the end."""

_LIMIT = 100  # of nearly all sliders, to either side
_SHARPEST = 150
_SEGMENTS = (1, 3, 5, 15)  # of a curve: whole steps of 255; Lightroom's own curves have at most 16 points
_CLOSE = 1.0  # level by which straight lines between a curve's points may miss it

_GLOBAL = {
    "contrast": "Contrast2012",
    "highlights": "Highlights2012",
    "shadows": "Shadows2012",
    "vibrance": "Vibrance",
}


def write(grade: Grade, name: str, strength: float = 100) -> str:
    """The preset as an XMP packet; equal arguments give equal text.

    Args:
        grade: the settings of the three tools.
        name: what Lightroom lists the preset as; what cannot be shown is dropped.
        strength: 0..100; every slider and curve is scaled by it.

    Raises:
        ValueError: for a strength out of range.
    """
    if not 0 <= strength <= 100:
        raise ValueError(f"strength is 0..100, not {strength}")
    adjust, share = grade.adjust or Adjust(), strength / 100
    like = likeness(grade.filter, np.array([*COLOURS.values()], np.float32))
    settings = _sliders(adjust, share) | _colours(adjust, grade.selective_adjust, like, share)
    return packet.write("Normal", name, _description(grade), settings, _curves(adjust, like, share))


def _sliders(adjust: Adjust, share: float) -> dict[str, str]:
    """Light, white balance and detail."""
    sliders = {theirs: _slider(getattr(adjust, ours) * share) for ours, theirs in _GLOBAL.items()}
    sliders["Clarity2012"] = sliders["Texture"] = _slider(adjust.structure / 2 * share)
    if adjust.exposure:
        sliders["Exposure2012"] = f"{adjust.exposure / STOP * share:+.2f}"
    if adjust.temperature or adjust.tint:
        sliders["WhiteBalance"] = "Custom"
        sliders["IncrementalTemperature"] = _slider(adjust.temperature * share)
        sliders["IncrementalTint"] = _slider(adjust.tint * share)
    if adjust.sharpen:
        sliders["Sharpness"] = f"{adjust.sharpen / 100 * _SHARPEST * share:.0f}"
    return sliders


def _colours(adjust: Adjust, selective: SelectiveAdjust | None, like: Likeness, share: float) -> dict[str, str]:
    """Saturation, and hue, saturation and luminance by colour."""
    if selective is None or adjust.saturation == -100:  # nothing has a hue any more where ours comes to its turn
        selective = SelectiveAdjust()
    saturation = (1 + adjust.saturation / 100) * like.saturation
    turned = (adjust.hue + 180) % 360 - 180
    sliders = {
        "Saturation": _slider((saturation - 1) * 100 * share),
        # Lightroom's black and white, whose curves can tint it.
        "ConvertToGrayscale": str(saturation == 0 and share == 1),
    }
    for name, hue, gain, turn in zip(COLOURS, COLOURS.values(), like.gains, like.turns, strict=True):
        luminance = _slider(_at(selective, hue, "luminance") * share)
        kept = (1 + _at(selective, hue, "saturation") / 100) * gain
        sliders[f"HueAdjustment{name}"] = _slider((turned + turn) / HUE_REACH * 100 * share)
        sliders[f"SaturationAdjustment{name}"] = _slider((kept - 1) * 100 * share)
        sliders[f"LuminanceAdjustment{name}"] = sliders[f"GrayMixer{name}"] = luminance
    return sliders


def _at(selective: SelectiveAdjust, hue: float, parameter: str) -> float:
    """What selective adjust does to the colours of a hue."""
    values = [getattr(getattr(selective, name), parameter) for name in CENTRES]
    return float(hue_weights(np.array([hue], np.float32))[0] @ np.array(values, np.float32))


def _curves(adjust: Adjust, like: Likeness, share: float) -> dict[str, packet.Points]:
    tone = Adjust(brightness=adjust.brightness, linearOffset=adjust.linearOffset)
    curves = {"": tone_curve(LEVELS, tone), "Red": like.curves[:, 0], "Green": like.curves[:, 1]}
    curves["Blue"] = like.curves[:, 2]
    return {
        f"ToneCurvePV2012{channel}": list(_points(LEVELS + (curve - LEVELS) * np.float32(share)))
        for channel, curve in curves.items()
    }


def _points(curve: Array) -> Iterator[tuple[int, int]]:
    """As few evenly spaced points as show the curve, 2 to 16."""
    levels = np.rint(np.clip(curve, 0, 1) * 255).astype(int)
    inputs = np.arange(256)
    for segments in _SEGMENTS:
        chosen = inputs[:: 255 // segments]
        if np.abs(np.interp(inputs, chosen, levels[chosen]) - curve * 255).max() <= _CLOSE:
            break
    return ((int(x), int(levels[x])) for x in chosen)


def _slider(value: float) -> str:
    """A value within the slider's ends, as Lightroom writes it."""
    rounded = round(min(max(value, -_LIMIT), _LIMIT))
    return f"{rounded:+d}" if rounded else "0"


def _description(grade: Grade) -> str:
    """What of the look is only near, or left out."""
    adjust, notes = grade.adjust or Adjust(), ["A translation into Lightroom's tools: near, not the same."]
    if adjust.temperature or adjust.tint:
        notes.append("White balance is for JPEG and other rendered photos, not for raw ones.")
    if adjust.hue % 360:
        notes.append(f"Hue {adjust.hue}: Lightroom turns hues by about {HUE_REACH} degrees at most.")
    if grade.filter and grade.filter.is_used:
        notes.append(f"Filter {grade.filter.name}: its greys as they are, its colours by range.")
    if adjust.bloom:
        notes.append(f"Bloom {adjust.bloom} is left out.")
    return " ".join(notes)

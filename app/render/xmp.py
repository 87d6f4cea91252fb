"""A grade as a preset of Lightroom and Camera Raw: an XMP packet of camera raw settings (`crs:`, process version 5).

Lightroom has its own tools, not ours, so a preset is a translation. What each of our parameters becomes:

| ours | Lightroom's | how well |
|---|---|---|
| exposure | Exposure2012, in stops | the same gain of light; both roll off towards white, each in its way |
| brightness, linearOffset | the point curve, ToneCurvePV2012 | the same curve, as points of whole numbers 0..255 |
| contrast, highlights, shadows | Contrast2012, Highlights2012, Shadows2012 | the same number; theirs follow the photo |
| saturation, vibrance | Saturation, Vibrance | the same number; saturation -100 is grey in both |
| temperature, tint | IncrementalTemperature, IncrementalTint | the same number; rendered photos only, not raw ones |
| hue | HueAdjustment of all eight colours | up to about 30 degrees, which is as far as theirs reach |
| selective adjust | SaturationAdjustment, LuminanceAdjustment | the same number; purple and magenta by our weights |
| filter | curves of red, green, blue; Saturation | greys as in the filter; its turns of single hues are left out |
| structure | Clarity2012 and Texture, half of it each | similar |
| sharpen | Sharpness | similar; it takes the place of a raw photo's own sharpening |
| bloom | nothing | left out: Lightroom has no glow |

A preset sets all of these, so that one look takes the place of another; only exposure, white balance and sharpness,
which belong to the single photo, are left as they are where the look does not use them. A `.cube` file holds all but
bloom, sharpen and structure exactly; the preset is for those who want sliders to go on with.
"""

import uuid
from collections.abc import Callable, Iterator
from xml.etree import ElementTree

import numpy as np

from app.grade import Adjust, Grade, SelectiveAdjust
from app.render.adjust import tone_curve
from app.render.colour import Array, luminance
from app.render.presets import look
from app.render.selective import CENTRES, hue_weights
from app.render.title import one_line

STOP = 40
"""Units of exposure that double the light."""

HUE_REACH = 30
"""Degrees by which Lightroom's hue sliders turn a colour at their end."""

_LONGEST_NAME = 100
_LIMIT = 100  # of nearly all of Lightroom's sliders, to either side
_MOST_POINTS = 16
_SHARPNESS = 1.5  # Lightroom's ends at 150

_SAME = {
    "contrast": "Contrast2012",
    "highlights": "Highlights2012",
    "shadows": "Shadows2012",
    "vibrance": "Vibrance",
}
_PER_PHOTO = {"temperature": "IncrementalTemperature", "tint": "IncrementalTint"}
_COLOURS = {
    **{name: "Aqua" if name == "cyan" else name.capitalize() for name in CENTRES},
    "purple": "Purple",
    "magenta": "Magenta",
}
_BETWEEN = {"purple": 300.0, "magenta": 340.0}  # OKLab hues of the two that selective adjust has no range for

_NAMES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
}
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, _NAMES["crs"] + "recolor")
for _prefix, _address in _NAMES.items():
    ElementTree.register_namespace(_prefix, _address)


def write(grade: Grade, name: str, strength: float = 100) -> str:
    """The preset as XML text, the same for the same arguments.

    Args:
        grade: the settings of the three tools.
        name: what Lightroom lists the preset as; what cannot be shown is dropped.
        strength: 0..100; all settings and curves are scaled by it.

    Raises:
        ValueError: for a strength out of range.
    """
    if not 0 <= strength <= 100:
        raise ValueError(f"strength is 0..100, not {strength}")
    share = strength / 100
    title = one_line(name, _LONGEST_NAME) or "Recolor"
    settings, curves = _settings(grade, share), _curves(grade, share)
    identity = uuid.uuid5(_NAMESPACE, repr((title, settings, curves))).hex.upper()

    packet = ElementTree.Element(_tag("x:xmpmeta"))
    rdf = ElementTree.SubElement(packet, _tag("rdf:RDF"))
    fixed = {
        "PresetType": "Normal",
        "Cluster": "",
        "UUID": identity,
        "SupportsAmount": "True",
        "SupportsColor": "True",
        "SupportsMonochrome": "True",
        "SupportsHighDynamicRange": "True",
        "SupportsNormalDynamicRange": "True",
        "SupportsSceneReferred": "True",
        "SupportsOutputReferred": "True",
        "CameraModelRestriction": "",
        "Copyright": "",
        "ContactInfo": "",
        "Version": "11.0",
        "ProcessVersion": "11.0",
    }
    attributes = {_tag(f"crs:{key}"): value for key, value in (fixed | settings).items()}
    about = {_tag("rdf:about"): ""}
    preset = ElementTree.SubElement(
        rdf, _tag("rdf:Description"), about | attributes | {_tag("crs:HasSettings"): "True"}
    )
    for key, text in (("Name", title), ("Group", "Recolor"), ("Description", _description(grade))):
        alternatives = ElementTree.SubElement(ElementTree.SubElement(preset, _tag(f"crs:{key}")), _tag("rdf:Alt"))
        ElementTree.SubElement(alternatives, _tag("rdf:li"), {"xml:lang": "x-default"}).text = text
    for key, points in curves.items():
        sequence = ElementTree.SubElement(ElementTree.SubElement(preset, _tag(f"crs:{key}")), _tag("rdf:Seq"))
        for x, y in points:
            ElementTree.SubElement(sequence, _tag("rdf:li")).text = f"{x}, {y}"
    ElementTree.indent(packet, " ")
    return ElementTree.tostring(packet, encoding="unicode") + "\n"


def _settings(grade: Grade, share: float) -> dict[str, str]:
    """Lightroom's sliders by name."""
    adjust, selective = grade.adjust or Adjust(), grade.selective_adjust or SelectiveAdjust()
    saturation = (1 + adjust.saturation / 100) * _filter_saturation(grade) - 1
    settings = {theirs: _whole(getattr(adjust, ours) * share) for ours, theirs in _SAME.items()}
    settings["Saturation"] = _whole(saturation * 100 * share)
    if adjust.exposure:
        settings["Exposure2012"] = f"{adjust.exposure / STOP * share:+.2f}"
    for ours, theirs in _PER_PHOTO.items():
        if getattr(adjust, ours):
            settings[theirs] = _whole(getattr(adjust, ours) * share)
    settings["Clarity2012"] = settings["Texture"] = _whole(adjust.structure / 2 * share)
    if adjust.sharpen:
        settings["Sharpness"] = str(round(adjust.sharpen * _SHARPNESS * share))
    turn = (adjust.hue + 180) % 360 - 180
    for ours, theirs in _COLOURS.items():
        settings[f"HueAdjustment{theirs}"] = _whole(turn / HUE_REACH * 100 * share)
        settings[f"SaturationAdjustment{theirs}"] = _whole(_of_range(selective, ours, "saturation") * share)
        settings[f"LuminanceAdjustment{theirs}"] = _whole(_of_range(selective, ours, "luminance") * share)
    return settings | {"ConvertToGrayscale": "False", "ToneCurveName2012": "Custom"}


def _of_range(selective: SelectiveAdjust, name: str, parameter: str) -> float:
    if name in CENTRES:
        return float(getattr(getattr(selective, name), parameter))
    weights = hue_weights(np.array([_BETWEEN[name]], np.float32))[0]
    values = [getattr(getattr(selective, own), parameter) for own in CENTRES]
    return float(weights @ np.array(values, np.float32))


def _whole(value: float) -> str:
    """A slider's value within its ends, with the sign that Lightroom writes."""
    rounded = round(min(max(value, -_LIMIT), _LIMIT))
    return f"{rounded:+d}" if rounded else "0"


def _curves(grade: Grade, share: float) -> dict[str, list[tuple[int, int]]]:
    """Points 0..255 of the point curve and of the curves of red, green and blue."""
    settings = grade.adjust or Adjust()
    tone = Adjust(brightness=settings.brightness, linearOffset=settings.linearOffset)
    curves = {"": _scaled(lambda value: tone_curve(value, tone), share)}
    inputs = np.linspace(0, 1, 256, dtype=np.float32)
    outputs = _filtered(grade)(np.repeat(inputs[:, None], 3, axis=1))
    for channel, colour in enumerate(("Red", "Green", "Blue")):
        curves[colour] = _scaled(lambda _, channel=channel: outputs[:, channel], share)  # type: ignore[misc]
    return {f"ToneCurvePV2012{key}": values for key, values in curves.items()}


def _scaled(curve: Callable[[Array], Array], share: float) -> list[tuple[int, int]]:
    inputs = np.linspace(0, 1, 256, dtype=np.float32)
    values = inputs + (curve(inputs) - inputs) * np.float32(share)
    rising = values[-1] >= values[0]
    values = np.maximum.accumulate(values) if rising else np.minimum.accumulate(values)
    return list(_points(np.rint(values.clip(0, 1) * 255).astype(int)))


def _points(values: np.ndarray) -> Iterator[tuple[int, int]]:
    """The fewest points, at most 16, between which straight lines meet the curve; each new one where they miss most."""
    chosen = [0, len(values) - 1]
    inputs = np.arange(len(values))
    while len(chosen) < _MOST_POINTS:
        missed = np.abs(np.interp(inputs, chosen, values[chosen]) - values)
        if missed.max() <= 1:
            break
        chosen = sorted({*chosen, int(missed.argmax())})
    return ((x, int(values[x])) for x in chosen)


def _filtered(grade: Grade) -> Callable[[Array], Array]:
    """The filter at its intensity."""
    if not (grade.filter and grade.filter.is_used):
        return lambda rgb: rgb
    full, intensity = look(grade.filter.name), np.float32(grade.filter.intensity / 100)
    return lambda rgb: rgb + (full(rgb) - rgb) * intensity


def _filter_saturation(grade: Grade) -> float:
    """The factor of chroma that the filter has over everyday colours, beyond what its curves of greys do."""
    if not (grade.filter and grade.filter.is_used):
        return 1
    axis = np.linspace(0.15, 0.85, 5, dtype=np.float32)
    colours = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    filtered = _filtered(grade)
    inputs = np.linspace(0, 1, 256, dtype=np.float32)
    greys = filtered(np.repeat(inputs[:, None], 3, axis=1))
    curved = np.stack([np.interp(colours[:, c], inputs, greys[:, c]) for c in range(3)], axis=1).astype(np.float32)
    grey = luminance(curved)[:, None]
    offset, wanted = curved - grey, filtered(colours) - grey
    factor = float((offset * wanted).sum() / (offset * offset).sum())
    return min(max(factor, 0), 2)


def _description(grade: Grade) -> str:
    """What the preset leaves out or only comes near to, for who applies it."""
    adjust = grade.adjust or Adjust()
    notes = ["Approximate: Lightroom's sliders follow the photo, Recolor's do not."]
    if grade.filter and grade.filter.is_used:
        notes.append(f"Filter {grade.filter.name}: its greys and overall saturation, not its turns of single hues.")
    if adjust.temperature or adjust.tint:
        notes.append("White balance: for JPEG and other rendered photos, not for raw ones.")
    if adjust.hue % 360:
        notes.append(f"Hue {adjust.hue}: Lightroom turns hues by about {HUE_REACH} degrees at most.")
    if adjust.bloom:
        notes.append(f"Left out: bloom {adjust.bloom}.")
    return " ".join(notes)


def _tag(name: str) -> str:
    prefix, local = name.split(":")
    return f"{{{_NAMES[prefix]}}}{local}"

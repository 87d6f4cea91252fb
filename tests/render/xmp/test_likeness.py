import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from app.grade import PRESETS, Filter
from app.grade.presets import PresetName
from app.render.colour import Array, encode, linear, oklab
from app.render.gamut import fit
from app.render.presets import look
from app.render.xmp.likeness import LEVELS, Likeness, likeness
from tests.render.pictures import photo

HUES = np.arange(0, 360, 45, dtype=np.float32)


def sliders(rgb: Array, like: Likeness) -> Array:
    """Pixels under what an editor with sliders does: hue and saturation by hue, then the curves."""
    lab = oklab(linear(rgb))
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    turn, gain = (np.interp(hue, HUES, values, period=360) for values in (like.turns, like.gains * like.saturation))
    colour = (lab[:, 1] + 1j * lab[:, 2]) * gain * np.exp(1j * np.radians(turn))
    moved = np.stack([lab[:, 0], colour.real, colour.imag], axis=-1).astype(np.float32)
    inside = encode(fit(moved, linear(rgb)))
    return np.stack([np.interp(inside[:, c], LEVELS, like.curves[:, c]) for c in range(3)], axis=-1)


def difference(a: Array, b: Array) -> float:
    return float(deltaE_ciede2000(rgb2lab(a), rgb2lab(b)).mean())


@pytest.mark.parametrize("name", PRESETS[1:])
@pytest.mark.parametrize("intensity", [40, 100])
def test_on_a_photo_it_comes_near_the_filter(name: PresetName, intensity: int) -> None:
    rgb = photo("astronaut").reshape(-1, 3)
    filtered = rgb + (look(name)(rgb) - rgb) * np.float32(intensity / 100)
    like = likeness(Filter(name=name, intensity=intensity), HUES)
    assert difference(sliders(rgb, like), filtered) < 0.6 * difference(rgb, filtered)


@pytest.mark.parametrize("unused", [None, Filter(), Filter(name="vivid", intensity=0), Filter(intensity=50)])
def test_without_a_filter_nothing_is_moved(unused: Filter | None) -> None:
    like = likeness(unused, HUES)
    assert like.curves == pytest.approx(np.repeat(LEVELS[:, None], 3, axis=1), abs=1e-6)
    assert like.saturation == pytest.approx(1, abs=1e-4)
    assert like.gains == pytest.approx(1, abs=1e-4)
    assert like.turns == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("name", [name for name in PRESETS if "duotone" in name or name == "night_vision"])
def test_two_inks_are_grey_under_curves(name: PresetName) -> None:
    like = likeness(Filter(name=name, intensity=100), HUES)
    assert like.saturation == 0
    assert np.ptp(like.curves[128]) > 0.1
    assert 0.4 < likeness(Filter(name=name, intensity=50), HUES).saturation < 0.8


def test_a_negative_falls_and_keeps_its_colours() -> None:
    like = likeness(Filter(name="negative", intensity=100), HUES)
    assert (np.diff(like.curves, axis=0) < 0).all()
    assert like.saturation == pytest.approx(1, abs=1e-3)
    assert like.turns == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("name", PRESETS[1:])
def test_curves_never_turn_back_and_are_as_near_the_greys_as_that_allows(name: PresetName) -> None:
    curves = likeness(Filter(name=name, intensity=100), HUES).curves
    greys = look(name)(np.repeat(LEVELS[:, None], 3, axis=1))
    if name == "negative":
        curves, greys = curves[::-1], greys[::-1]
    assert (np.diff(curves, axis=0) >= 0).all()
    dents = (np.maximum.accumulate(greys, axis=0) - greys).max(axis=0)
    assert np.abs(curves - greys).max(axis=0) == pytest.approx(dents / 2, abs=1e-6)
    assert dents.max() < 20 / 255

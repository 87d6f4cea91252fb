from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.grade import PRESETS
from app.grade.presets import PresetName
from app.render.colour import Array, encode, linear, luminance, oklch
from app.render.looks import Look, Tone
from app.render.lut import Lut
from app.render.presets import LOOKS, look
from tests.render.pictures import colours, gradients, seen_steps

GREYS = np.repeat(np.linspace(0, 1, 256, dtype=np.float32)[:, None], 3, axis=1)
COLOURS = np.random.default_rng(3).random((1500, 3), np.float32)
# Roughly what photos are made of: light skin, dark skin, sky, foliage, asphalt, sand, brick, shade.
EVERYDAY = (
    np.array(
        [
            [224, 172, 140],
            [120, 78, 58],
            [120, 170, 222],
            [92, 122, 60],
            [90, 90, 94],
            [206, 186, 150],
            [160, 74, 56],
            [44, 42, 46],
        ],
        np.float32,
    )
    / 255
)
SKIN, SKY, FOLIAGE = EVERYDAY[0], EVERYDAY[2], EVERYDAY[3]

DUOTONES = [name for name in PRESETS if name.startswith("duotone")]
FADED = [name for name in PRESETS if name.startswith("faded")]

presets = pytest.mark.parametrize("name", PRESETS)


def hue(rgb: Array) -> float:
    return float(oklch(linear(rgb))[..., 2])


def chroma(rgb: Array) -> float:
    return float(np.mean(oklch(linear(rgb))[..., 1]))


def light(rgb: Array) -> float:
    return float(np.mean(oklch(linear(rgb))[..., 0]))


def warmth(rgb: Array) -> float:
    """Red less blue."""
    return float(np.mean(rgb[..., 0] - rgb[..., 2]))


def away(hue: float, other: float) -> float:
    return abs((hue - other + 180) % 360 - 180)


def test_every_preset_of_the_filter_has_a_look_and_no_other_has() -> None:
    assert set(LOOKS) == set(PRESETS)


def test_none_changes_no_bit() -> None:
    assert np.array_equal(look("none")(COLOURS), COLOURS)


@presets
@settings(max_examples=15)
@given(rgb=arrays(np.float32, (4, 3), elements=st.floats(0, 1, width=32)))
def test_any_colour_stays_in_range(name: PresetName, rgb: Array) -> None:
    before = rgb.copy()
    graded = look(name)(rgb)
    assert graded.shape == rgb.shape
    assert graded.dtype == np.float32
    assert graded.min() >= 0  # also fails for NaN
    assert graded.max() <= 1
    assert np.array_equal(rgb, before)


@presets
def test_black_and_white_stay_apart_and_greys_in_order(name: PresetName) -> None:
    steps = np.diff(luminance(linear(look(name)(GREYS))))
    assert (steps <= 1e-6).all() if name == "negative" else (steps >= -1e-6).all()
    assert abs(steps.sum()) > 0.2


@presets
def test_gradients_stay_smooth(name: PresetName) -> None:
    """No step of 8 bits becomes a break: greys move by 3/255 at most, colours by 5 of CIEDE2000 (1.9 before)."""
    assert np.abs(np.diff(look(name)(GREYS), axis=0)).max() <= 3 / 255
    steps = seen_steps(look(name)(gradients(257)))
    assert steps.max() < 5
    assert np.abs(np.diff(steps, axis=1)).max() < 1


@presets
def test_neighbours_in_a_lut_are_close(name: PresetName) -> None:
    table = Lut.of(look(name), 17).table
    assert max(np.abs(np.diff(table, axis=axis)).max() for axis in range(3)) <= 4 / 16


@presets
def test_a_lut_meets_the_look(name: PresetName) -> None:
    """Of 33 points an axis, in steps of 8 bits: greys within 2, everyday colours within 3, all within 6."""
    lut = Lut.of(look(name), 33)
    for some, bound in ((GREYS, 2), (EVERYDAY, 3), (COLOURS, 6)):
        assert np.abs(lut.apply(some) - look(name)(some)).max() * 255 <= bound
    assert np.percentile(np.abs(lut.apply(COLOURS) - look(name)(COLOURS)) * 255, 99) <= 2


@presets
def test_no_two_hues_change_places_and_none_are_torn_apart(name: PresetName) -> None:
    hues = np.arange(0, 360, 0.5, dtype=np.float32)
    turned = hues + sum((move.turn * move.weight(hues) for move in LOOKS[name].hues), np.zeros_like(hues))
    apart = np.diff(turned) / 0.5
    assert apart.min() > 0.15
    assert apart.max() < 2.1


def test_no_look_is_another_ones() -> None:
    """The mean difference over everyday colours, in steps of 1/255."""
    graded = {name: look(name)(EVERYDAY) * 255 for name in PRESETS}
    too_close = [
        (name, other)
        for name in PRESETS
        for other in PRESETS
        if name < other and np.abs(graded[name] - graded[other]).mean() < 3.5
    ]
    assert too_close == []


@given(
    tone=st.builds(Tone, *[st.floats(-1, 1)] * 4),
    values=st.lists(st.floats(0, 1, width=32), min_size=2, max_size=6).map(sorted),
)
def test_a_tone_curve_keeps_the_order_of_tones_and_both_ends(tone: Tone, values: list[float]) -> None:
    curved = tone(np.array([0.0, *values, 1.0]))
    assert (np.diff(curved) >= -1e-9).all()
    assert curved[[0, -1]] == pytest.approx([0, 1], abs=1e-12)


def test_a_look_without_settings_is_identity() -> None:
    assert np.array_equal(Look()(COLOURS), COLOURS)


@given(colours())
def test_negative_inverts(rgb: Array) -> None:
    assert np.array_equal(look("negative")(rgb), 1 - rgb)
    assert look("negative")(look("negative")(rgb)) == pytest.approx(rgb, abs=1e-6)


@given(colours())
def test_night_vision_is_green_and_nothing_else(rgb: Array) -> None:
    seen = look("night_vision")(rgb)
    assert (seen[:, 1] > seen[:, [0, 2]].max(axis=1)).all()
    assert np.ptp(oklch(linear(seen))[:, 2]) < 10


@pytest.mark.parametrize("name", DUOTONES)
def test_a_duotone_has_two_colours_and_only_light_decides(name: PresetName) -> None:
    dark, bright = look(name)(GREYS[[0, -1]])
    inks = LOOKS[name].inks
    assert inks is not None
    assert np.stack([dark, bright]) * 255 == pytest.approx(np.array(inks, np.float32), abs=0.5)
    red = np.array([0.9, 0.1, 0.1], np.float32)
    grey = np.repeat(encode(luminance(linear(red))), 3)
    assert look(name)(red) == pytest.approx(look(name)(grey), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("duotone_red", 29),
        ("duotone_pink", 350),
        ("duotone_green", 145),
        ("duotone_yellow", 102),
        ("duotone_orange", 65),
    ],
)
def test_the_light_ink_of_a_duotone_has_the_hue_of_its_name(name: PresetName, at: float) -> None:
    assert away(hue(look(name)(np.ones(3, np.float32))), at) < 15


@pytest.mark.parametrize("name", FADED)
def test_faded_film_has_no_deep_black_and_less_contrast(name: PresetName) -> None:
    black, white = look(name)(GREYS[[0, -1]])
    assert light(black) > 0.25
    assert light(white) - light(black) < 0.8
    assert chroma(look(name)(COLOURS)) < chroma(COLOURS)


@pytest.mark.parametrize("name", ["faded_Retro", "faded_HighNoon", "faded_Terra", "fortune", "firecracker"])
def test_warm_looks_are_warm(name: PresetName) -> None:
    assert warmth(look(name)(EVERYDAY)) > warmth(EVERYDAY) + 0.03


@pytest.mark.parametrize("name", ["north", "winter"])
def test_cold_looks_are_cold_and_pale(name: PresetName) -> None:
    assert warmth(look(name)(EVERYDAY)) < warmth(EVERYDAY) - 0.08
    assert chroma(look(name)(EVERYDAY)) < chroma(EVERYDAY)


@pytest.mark.parametrize("name", ["lovely_day", "spring", "winter"])
def test_airy_looks_are_lighter(name: PresetName) -> None:
    assert light(look(name)(EVERYDAY)) > light(EVERYDAY) + 0.03


@pytest.mark.parametrize("name", ["darkness", "teal_and_orange_6", "cyberpunk"])
def test_dark_looks_are_darker(name: PresetName) -> None:
    assert light(look(name)(EVERYDAY)) < light(EVERYDAY) - 0.03


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("teal_and_orange")])
def test_teal_and_orange(name: PresetName) -> None:
    shade, sky, skin = look(name)(GREYS[60]), look(name)(SKY), look(name)(SKIN)
    assert away(hue(shade), 200) < 45
    assert away(hue(sky), 205) < away(hue(SKY), 205) - 5
    assert away(hue(skin), 62) < 25


def test_strength_grows_from_subtle_to_strong() -> None:
    moved = [
        np.abs(look(name)(EVERYDAY) - EVERYDAY).mean()
        for name in ("teal_and_orange_2", "teal_and_orange_1", "teal_and_orange_3")
    ]
    assert all(less < more for less, more in pairwise(moved))
    saturated = [chroma(look(name)(EVERYDAY)) for name in ("none", "vivid", "ultra")]
    assert all(less < more for less, more in pairwise(saturated))


def test_purple_rain_and_cyberpunk_are_violet_in_the_dark() -> None:
    for name in ("purple_rain", "cyberpunk"):
        assert away(hue(look(name)(GREYS[70])), 300) < 35  # type: ignore[arg-type]
    assert away(hue(look("purple_rain")(GREYS[160])), 312) < 25


def test_spring_keeps_foliage_green_and_lightens_it() -> None:
    leaf = look("spring")(FOLIAGE)
    assert away(hue(leaf), 138) < 20
    assert light(leaf) > light(FOLIAGE) + 0.05

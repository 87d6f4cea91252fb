"""Colours are moved about inside sRGB: never out of it, and no two neighbours far apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.render.colour import Array, encode, linear, oklab, oklch
from app.render.gamut import HUES, Shades, along, fit, roll_off
from tests.render.pictures import CORNERS, GREYS, colours, gradients, grid, patch, seen_steps

VIVID = CORNERS[[1, 2, 3, 4, 5, 6]]
"""Blue, green, cyan, red, magenta, yellow."""

gains = st.floats(0, 4)
angles = st.floats(-7, 7)


def moved(rgb: Array, angle: float = 0, gain: float = 1, lighter: float = 0) -> Array:
    """Encoded sRGB, turned, saturated and lightened."""
    light = linear(rgb)
    shades = Shades.of(light).turned(angle).saturated(gain)
    return encode(fit(shades.lightened(np.full_like(shades.chroma, lighter)).lab, light))


def lch(rgb: Array) -> Array:
    return oklch(linear(rgb))


@given(colours(), angles, gains, st.floats(-1, 1))
def test_no_move_leaves_srgb(rgb: Array, angle: float, gain: float, lighter: float) -> None:
    result = moved(rgb, angle, gain, lighter)
    assert result.shape == rgb.shape
    assert result.dtype == np.float32
    assert result.min() >= 0  # also fails for NaN
    assert result.max() <= 1


@given(colours())
def test_what_does_not_move_stays_where_it_is(rgb: Array) -> None:
    # Black and its neighbours are steep in OKLab: there the last bit of a float is seen.
    assert moved(0.02 + 0.98 * rgb) == pytest.approx(0.02 + 0.98 * rgb, abs=2e-4)


@given(angles, gains)
def test_greys_stay_grey_and_what_they_are(angle: float, gain: float) -> None:
    assert moved(GREYS, angle, gain) == pytest.approx(GREYS, abs=2e-3)


def test_the_most_vivid_colours_have_a_vividness_of_about_one_and_greys_of_none() -> None:
    vivid = Shades.of(linear(np.concatenate([VIVID, 0.2 * VIVID]))).shares()[0]
    assert vivid == pytest.approx(1, abs=0.25)
    assert Shades.of(linear(GREYS)).shares()[0].max() < 0.01


@given(colours(), gains)
def test_chroma_changes_as_asked_or_less_and_hue_stays(rgb: Array, gain: float) -> None:
    rgb = 0.1 + 0.8 * rgb
    before, after = lch(rgb), lch(moved(rgb, gain=gain))
    coloured = (before[:, 1] > 0.02) & (after[:, 1] > 0.02)
    growth = after[coloured, 1] / before[coloured, 1]
    assert (growth < max(gain, 1) + 0.01).all()
    assert (growth > min(gain, 1) - 0.01).all()
    turned = (after[:, 2] - before[:, 2] + 180) % 360 - 180
    assert np.abs(turned[coloured]).max(initial=0) < 3


def test_muted_colours_gain_what_is_asked_for() -> None:
    for rgb in (patch(140, 120, 110), patch(120, 130, 110), patch(110, 118, 130)):
        assert lch(moved(rgb, gain=1.5))[0, 1] == pytest.approx(1.5 * lch(rgb)[0, 1], rel=0.01)


@pytest.mark.parametrize("sky", [patch(180, 215, 250), patch(205, 225, 245), patch(120, 170, 222)])
def test_bright_skies_gain_colour_and_darken_a_little(sky: Array) -> None:
    before, after = lch(sky)[0], lch(moved(sky, gain=1.4))[0]
    assert after[1] > 1.25 * before[1]
    assert before[0] - 0.05 < after[0] <= before[0] + 1e-3


def test_the_purest_colours_stay_what_they_are_when_chroma_grows() -> None:
    assert moved(CORNERS, gain=2) == pytest.approx(CORNERS, abs=0.02)


@given(st.integers(0, 359))
def test_vivid_colours_stay_vivid_when_hues_turn(degrees: int) -> None:
    turned = moved(VIVID, np.radians(degrees))
    shares = Shades.of(linear(turned)).shares()
    assert shares[0].min() > 0.7
    assert shares[1].min() > 0.75


@given(colours(), angles)
def test_a_turn_and_the_opposite_turn_cancel_out_where_there_is_room(rgb: Array, angle: float) -> None:
    rgb = 0.45 + 0.1 * rgb
    assert moved(moved(rgb, angle), -angle) == pytest.approx(rgb, abs=0.045)


@given(st.floats(0.05, 1))
def test_lighter_is_lighter_and_darker_is_darker(amount: float) -> None:
    rgb = 0.1 + 0.8 * grid(5)
    light = oklab(linear(rgb))[:, 0]
    assert (oklab(linear(moved(rgb, lighter=amount)))[:, 0] > light).all()
    assert (oklab(linear(moved(rgb, lighter=-amount)))[:, 0] < light).all()


@settings(max_examples=25)
@given(angles, gains, st.floats(-0.5, 0.5))
def test_gradients_stay_smooth_wherever_they_are_moved(angle: float, gain: float, lighter: float) -> None:
    steps = seen_steps(moved(gradients(256), angle, gain, lighter))
    assert steps.max() < 2 + 2 * gain  # 1.9 untouched


@given(st.floats(1, 16), st.sampled_from([0.5, 0.8, 0.9]))
def test_a_roll_off_ends_at_one_rises_and_leaves_what_is_below_the_knee(top: float, knee: float) -> None:
    bent = roll_off(np.linspace(0, top, 200, dtype=np.float32), top, knee)
    assert bent[-1] == pytest.approx(1, abs=1e-4)
    assert (np.diff(bent) > 0).all()
    below = np.linspace(0, knee, 50, dtype=np.float32)
    assert np.array_equal(roll_off(below, top, knee), below)


def test_a_roll_off_to_one_changes_no_bit() -> None:
    values = np.linspace(0, 1, 100, dtype=np.float32)
    assert np.array_equal(roll_off(values, 1.0), values)
    assert np.array_equal(roll_off(values, 0.5), values)


@given(st.integers(-3 * HUES, 3 * HUES))
def test_a_curve_over_the_hues_goes_round(point: int) -> None:
    curve = np.arange(HUES, dtype=np.float32)
    at = np.array([(point + 0.25) * 2 * np.pi / HUES], np.float32)
    (value,) = along(at, curve)
    assert value == point % HUES

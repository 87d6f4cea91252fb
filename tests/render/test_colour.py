import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.render.colour import Array, encode, fit, from_oklab, from_oklch, linear, luminance, oklab, oklch, roll_off
from tests.render.pictures import CORNERS, GREYS, colours, grid, patch


@given(colours())
def test_linear_light_and_back_is_the_same_colour(rgb: Array) -> None:
    assert encode(linear(rgb)) == pytest.approx(rgb, abs=1e-5)


def test_black_and_white_are_the_same_in_linear_light() -> None:
    assert linear(GREYS[[0, -1]]) == pytest.approx(GREYS[[0, -1]], abs=1e-6)


def test_middle_grey_reflects_eighteen_percent() -> None:
    assert linear(patch(118, 118, 118)) == pytest.approx(0.18, abs=0.002)


@given(colours())
def test_oklab_and_back_is_the_same_colour(rgb: Array) -> None:
    assert from_oklab(oklab(rgb)) == pytest.approx(rgb, abs=1e-4)
    assert from_oklch(oklch(rgb)) == pytest.approx(rgb, abs=1e-4)


@pytest.mark.parametrize(
    ("rgb", "lch"),
    [  # as published with the space
        ((255, 0, 0), (0.628, 0.2577, 29.2)),
        ((0, 255, 0), (0.8664, 0.2948, 142.5)),
        ((0, 0, 255), (0.452, 0.3132, 264.1)),
    ],
)
def test_the_primaries_have_their_published_places_in_oklch(
    rgb: tuple[int, int, int], lch: tuple[float, float, float]
) -> None:
    lightness, chroma, hue = oklch(linear(patch(*rgb)))[0]
    assert (lightness, chroma) == pytest.approx(lch[:2], abs=0.001)
    assert hue == pytest.approx(lch[2], abs=0.1)


def test_greys_have_no_chroma() -> None:
    assert oklch(linear(GREYS))[:, 1].max() < 1e-3


def test_luminance_weighs_green_most_and_white_is_one() -> None:
    red, green, blue = (float(luminance(patch(*rgb))[0]) for rgb in [(255, 0, 0), (0, 255, 0), (0, 0, 255)])
    assert green > red > blue
    assert red + green + blue == pytest.approx(1)


@given(st.floats(1, 16))
def test_a_roll_off_ends_at_one_rises_and_leaves_the_lower_half(top: float) -> None:
    bent = roll_off(np.linspace(0, top, 200, dtype=np.float32), top)
    assert bent[-1] == pytest.approx(1, abs=1e-4)
    assert (np.diff(bent) > 0).all()
    half = np.linspace(0, 0.5, 50, dtype=np.float32)
    assert np.array_equal(roll_off(half, top), half)


def test_a_roll_off_to_one_changes_nothing() -> None:
    values = np.linspace(0, 1, 100, dtype=np.float32)
    assert roll_off(values, 1.0) == pytest.approx(values, abs=1e-6)


def test_what_is_inside_srgb_is_left_alone() -> None:
    assert encode(fit(oklab(linear(grid())))) == pytest.approx(grid(), abs=3e-3)


@given(colours(), st.floats(1, 4))
def test_what_grows_out_of_srgb_nearly_keeps_lightness_and_hue(rgb: Array, gain: float) -> None:
    lab = oklab(linear(0.1 + 0.8 * rgb))
    vivid = (lab * np.array([1, gain, gain])).astype(np.float32)
    before, after = oklch(from_oklab(lab)), oklch(fit(vivid, gain))
    assert after[:, 0] == pytest.approx(before[:, 0], abs=0.05)
    coloured = before[:, 1] > 0.02
    turned = (after[:, 2] - before[:, 2] + 180) % 360 - 180
    assert np.abs(turned[coloured]).max(initial=0) < 15
    assert (after[:, 1] > before[:, 1] - 0.01).all()


def test_the_purest_colours_stay_what_they_are_when_chroma_grows() -> None:
    lab = oklab(CORNERS)
    assert fit((lab * np.array([1, 2, 2])).astype(np.float32), 2.0) == pytest.approx(CORNERS, abs=0.02)

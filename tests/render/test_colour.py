from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given

from app.render.colour import Array, encode, from_oklab, from_oklch, linear, luminance, oklab, oklch, smooth
from tests.render.pictures import GREYS, colours, grid, patch


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


def test_a_smooth_step_rises_from_zero_to_one_and_is_flat_at_both_ends() -> None:
    steps = smooth(np.linspace(-0.5, 1.5, 401, dtype=np.float32))
    assert (np.diff(steps) >= 0).all()
    assert steps[:101].max() == 0
    assert steps[300:].min() == 1
    assert np.abs(np.diff(steps, n=2)).max() < 2e-4


@pytest.mark.parametrize("function", [linear, encode, oklab, from_oklab, oklch, from_oklch])
def test_memory_layout_and_shape_of_colours_do_not_matter(function: Callable[[Array], Array]) -> None:
    colours = grid(4).reshape(8, 8, 3)
    planes = np.moveaxis(np.ascontiguousarray(np.moveaxis(colours, -1, 0)), 0, -1)
    result = function(colours)
    assert result.shape == colours.shape
    assert result.dtype == np.float32
    assert np.array_equal(function(planes), result)
    assert np.array_equal(function(colours[3, 4]), result[3, 4])

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.grade import SelectiveAdjust
from app.render.colour import Array, encode, from_oklch, linear, luminance, oklch
from app.render.selective import CENTRES, hue_weights, selective
from tests.grade.strategies import settings as tool_settings
from tests.render.pictures import GREYS, colours, gradients, largest_bend, patch, seen_steps, steepest

OPPOSITES = {"red": "cyan", "orange": "blue", "yellow": "blue", "green": "red", "cyan": "red", "blue": "yellow"}


def changed(rgb: Array, name: str, saturation: int = 0, luminance: int = 0) -> Array:
    return selective(rgb, SelectiveAdjust.parse({name: {"saturation": saturation, "luminance": luminance}}))


def colour_of(name: str) -> Array:
    """A colour of middle lightness and chroma in the middle of a range."""
    return encode(from_oklch(np.array([[0.65, 0.09, CENTRES[name]]], np.float32)))


def chroma(rgb: Array) -> float:
    return float(oklch(linear(rgb))[0, 1])


def test_the_ranges_are_those_of_the_tool() -> None:
    assert list(CENTRES) == list(SelectiveAdjust.model_fields)


@given(tool_settings("selective_adjust"), colours())
def test_any_settings_give_colours_in_range(values: SelectiveAdjust, rgb: Array) -> None:
    result = selective(rgb, values)
    assert result.shape == rgb.shape
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert result.min() >= 0
    assert result.max() <= 1


@given(colours())
def test_neutral_settings_change_no_bit(rgb: Array) -> None:
    assert np.array_equal(selective(rgb, SelectiveAdjust()), rgb)


@given(st.floats(-360, 720))
def test_the_weights_of_a_hue_add_up_to_one(hue: float) -> None:
    weights = hue_weights(np.array([hue], np.float32))[0]
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    assert weights.min() >= 0
    assert np.count_nonzero(weights) <= 2


def test_the_middle_of_a_range_is_its_own_and_weights_change_gradually() -> None:
    assert hue_weights(np.array([*CENTRES.values()], np.float32)) == pytest.approx(np.eye(6), abs=1e-5)
    weights = hue_weights(np.linspace(0, 360, 3601, dtype=np.float32))
    assert np.abs(np.diff(weights, axis=0)).max() < 0.006  # a tenth of a degree


@pytest.mark.parametrize("name", CENTRES)
@given(st.integers(-100, 100), st.integers(-100, 100))
def test_a_range_leaves_the_opposite_hue_and_greys(name: str, saturation: int, luminance: int) -> None:
    for rgb in (colour_of(OPPOSITES[name]), GREYS):
        assert changed(rgb, name, saturation, luminance) == pytest.approx(rgb, abs=2e-3)


@pytest.mark.parametrize("name", CENTRES)
@pytest.mark.parametrize("values", [{"saturation": -40}, {"saturation": 40}, {"luminance": -40}, {"luminance": 40}])
def test_a_range_changes_its_hue(name: str, values: dict[str, int]) -> None:
    assert np.abs(changed(colour_of(name), name, **values) - colour_of(name)).max() > 0.03


@pytest.mark.parametrize("name", CENTRES)
@given(st.lists(st.integers(-100, 100), min_size=2, max_size=4, unique=True).map(sorted))
def test_saturation_and_luminance_move_their_statistic_up_all_along(name: str, steps: list[int]) -> None:
    own = colour_of(name)
    assert (np.diff([chroma(changed(own, name, saturation=step)) for step in steps]) > 0).all()
    assert (np.diff([luminance(changed(own, name, luminance=step))[0] for step in steps]) > 0).all()


@pytest.mark.parametrize("name", CENTRES)
def test_saturation_of_minus_hundred_makes_a_range_grey(name: str) -> None:
    assert chroma(changed(colour_of(name), name, saturation=-100)) < 2e-3


@given(tool_settings("selective_adjust"))
def test_greys_are_left_alone(values: SelectiveAdjust) -> None:
    assert selective(GREYS, values) == pytest.approx(GREYS, abs=2e-3)


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((200, 30, 35), "red"),
        ((235, 130, 40), "orange"),
        ((198, 134, 98), "orange"),  # skin
        ((240, 205, 60), "yellow"),
        ((60, 140, 50), "green"),
        ((40, 180, 190), "cyan"),
        ((90, 150, 225), "blue"),  # a clear sky
    ],
)
def test_well_known_colours_belong_to_their_range(rgb: tuple[int, int, int], name: str) -> None:
    hue = oklch(linear(patch(*rgb)))[:, 2]
    assert list(CENTRES)[int(hue_weights(hue).argmax())] == name
    assert hue_weights(hue).max() > 0.6


@pytest.mark.parametrize("name", CENTRES)
@settings(max_examples=8)
@given(st.integers(-100, 100), st.integers(-100, 100))
def test_smooth_gradients_stay_smooth(name: str, saturation: int, luminance: int) -> None:
    rows = changed(gradients(), name, saturation, luminance)
    # Channels move at most this much faster than the ramp, and in 1024 steps no pace changes by a visible 1/255.
    assert steepest(rows) < 10
    assert largest_bend(rows) < 0.7
    assert seen_steps(rows[:, ::4]).max() < 4


@settings(max_examples=40)
@given(tool_settings("selective_adjust"))
def test_gradients_stay_smooth_under_any_settings(values: SelectiveAdjust) -> None:
    steps = seen_steps(selective(gradients(257), values))
    assert steps.max() < 4  # 1.9 untouched
    assert np.abs(np.diff(steps, axis=1)).max() < 3.5

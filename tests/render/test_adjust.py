from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.grade import Adjust
from app.render.adjust import adjust, white_gains
from app.render.colour import Array, encode, from_oklch, linear, luminance, oklch
from tests.grade.strategies import settings as tool_settings
from tests.render.pictures import GREYS, colours, gradients, grid, largest_bend, patch, photo, seen_steps, steepest

POINTWISE = [slot.name for slot in Adjust.slots() if slot.name not in {"bloom", "sharpen", "structure"}]
SIGNED = [name for name in POINTWISE if name != "hue"]
PHOTOS = ["astronaut", "coffee", "chelsea"]

# A gradient over the whole range in 1024 steps: no channel moves faster than this many times the ramp, and from one
# step to the next its pace changes by less than this many 1/255. A jump that could be seen is above 1.
STEEPEST, LARGEST_BEND = 6.0, 0.7
# Neighbours on a gradient of 8 bits, in CIEDE2000: 1.9 untouched, and any one parameter, any turn of the hues, leaves
# them no further apart than is just seen where large areas meet.
FARTHEST_SEEN = 5.5
FARTHEST_SEEN_TURNED = 2.5

SKIN = [patch(224, 172, 140), patch(198, 134, 98), patch(120, 80, 60), patch(255, 219, 190)]
MUTED_BLUE, VIVID_BLUE = patch(110, 125, 150), patch(20, 60, 240)


def adjusted(rgb: Array, **values: int) -> Array:
    return adjust(rgb, Adjust(**values))


def chroma(rgb: Array) -> Array:
    return oklch(linear(rgb))[..., 1]


def mean_luminance(rgb: Array) -> float:
    return float(luminance(linear(rgb)).mean())


def spread(rgb: Array) -> float:
    return float(luminance(rgb).std())


def warmth(rgb: Array) -> float:
    return float((rgb[..., 0] - rgb[..., 2]).mean())


def magenta(rgb: Array) -> float:
    return float((rgb[..., 0] + rgb[..., 2] - 2 * rgb[..., 1]).mean())


def mean_chroma(rgb: Array) -> float:
    return float(chroma(rgb).mean())


def mean_of(low: float, high: float) -> Callable[[Array, Array], float]:
    """The mean luma of what is between two lumas in the untouched photo."""

    def statistic(rgb: Array, untouched: Array) -> float:
        luma = luminance(untouched)
        return float(luminance(rgb)[(luma >= low) & (luma <= high)].mean())

    return statistic


def of_all(statistic: Callable[[Array], float]) -> Callable[[Array, Array], float]:
    return lambda rgb, _: statistic(rgb)


STATISTICS: dict[str, Callable[[Array, Array], float]] = {
    "exposure": of_all(mean_luminance),
    "contrast": of_all(spread),
    "brightness": mean_of(0.3, 0.7),
    "highlights": mean_of(0.6, 0.95),
    "shadows": mean_of(0.05, 0.4),
    "saturation": of_all(mean_chroma),
    "vibrance": of_all(mean_chroma),
    "temperature": of_all(warmth),
    "tint": of_all(magenta),
    "linearOffset": mean_of(0.0, 0.2),
}


@given(tool_settings("adjust"), colours())
def test_any_settings_give_colours_in_range(values: Adjust, rgb: Array) -> None:
    result = adjust(rgb, values)
    assert result.shape == rgb.shape
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert result.min() >= 0
    assert result.max() <= 1


@given(colours())
def test_neutral_settings_change_no_bit(rgb: Array) -> None:
    assert np.array_equal(adjust(rgb, Adjust()), rgb)
    assert np.array_equal(adjusted(rgb, hue=360, bloom=50, sharpen=50, structure=50), rgb)


@pytest.mark.parametrize("name", SIGNED)
@settings(max_examples=20)
@given(st.sampled_from(PHOTOS), st.lists(st.integers(-100, 100), min_size=2, max_size=4, unique=True).map(sorted))
def test_a_parameter_moves_its_statistic_up_all_along(name: str, photo_name: str, values: list[int]) -> None:
    untouched = photo(photo_name, 32)
    measured = [STATISTICS[name](adjust(untouched, Adjust.parse({name: value})), untouched) for value in values]
    assert (np.diff(measured) > 0).all(), (values, measured)


@pytest.mark.parametrize("name", SIGNED)
def test_a_parameter_at_its_ends_is_plain_to_see(name: str) -> None:
    least, untouched, most = (adjust(photo(), Adjust.parse({name: value})) for value in (-100, 0, 100))
    for changed in (least, most):
        assert np.abs(changed - untouched).mean() > 0.008


@pytest.mark.parametrize("name", SIGNED)
def test_the_smallest_settings_change_least(name: str) -> None:
    rgb = 0.1 + 0.8 * grid()  # a channel near zero moves visibly more, for there sRGB is steep
    for value in (-1, 1):
        assert np.abs(adjust(rgb, Adjust.parse({name: value})) - rgb).max() < 0.035


def test_forty_of_exposure_double_the_light() -> None:
    rgb = photo() * 0.5
    assert linear(adjusted(rgb, exposure=40)) == pytest.approx(2 * linear(rgb), abs=1e-4)
    assert linear(adjusted(rgb, exposure=-40)) == pytest.approx(linear(rgb) / 2, abs=1e-4)


def test_more_exposure_does_not_clip() -> None:
    bright = adjusted(GREYS, exposure=100)
    assert (np.diff(bright[:, 0]) > 0).all()
    assert bright[-1] == pytest.approx(1, abs=1e-5)


@given(tool_settings("adjust"))
def test_grey_ramps_keep_their_order(values: Adjust) -> None:
    # But for hue: greys that are tinted turn with it, and the most vivid hues differ in lightness.
    light = luminance(linear(adjust(GREYS, values.model_copy(update={"hue": 0}))))
    assert (np.diff(light) > -1e-5).all()


@pytest.mark.parametrize("name", ["contrast", "brightness", "highlights", "shadows", "saturation", "vibrance", "hue"])
@pytest.mark.parametrize("value", [-100, 40, 100])
def test_black_and_white_points_stay(name: str, value: int) -> None:
    ends = GREYS[[0, -1]]
    assert adjust(ends, Adjust.parse({name: abs(value) if name == "hue" else value})) == pytest.approx(ends, abs=1e-4)


def test_black_is_lifted_by_a_linear_offset_and_nothing_else() -> None:
    black = GREYS[:1]
    for name in SIGNED:
        lifted = adjust(black, Adjust.parse({name: 100})).max()
        assert (lifted > 0.2) == (name == "linearOffset"), name
    assert adjusted(GREYS, linearOffset=-100)[[0, -1]] == pytest.approx(GREYS[[0, -1]], abs=1e-5)


def test_contrast_keeps_middle_grey() -> None:
    middle = encode(np.full((1, 3), 0.18, np.float32))
    for value in (-100, 50, 100):
        assert adjusted(middle, contrast=value) == pytest.approx(middle, abs=0.01)


def test_highlights_and_shadows_keep_to_their_own_half() -> None:
    dark, bright = GREYS[10:12], GREYS[54:56]
    assert np.abs(adjusted(dark, highlights=100) - dark).max() < 0.01
    assert np.abs(adjusted(bright, shadows=100) - bright).max() < 0.01


@given(tool_settings("adjust"), colours())
def test_without_saturation_all_channels_are_equal(values: Adjust, rgb: Array) -> None:
    grey = adjust(rgb, values.model_copy(update={"saturation": -100}))
    assert np.array_equal(grey[:, 0], grey[:, 1])
    assert np.array_equal(grey[:, 1], grey[:, 2])


@given(st.integers(-100, 100))
def test_saturation_turns_no_hue(value: int) -> None:
    rgb = np.concatenate([*SKIN, MUTED_BLUE, patch(180, 215, 250), 0.15 + 0.7 * grid(4)])
    before, after = oklch(linear(rgb)), oklch(linear(adjusted(rgb, saturation=value)))
    coloured = (before[:, 1] > 0.02) & (after[:, 1] > 0.01)
    turned = (after[:, 2] - before[:, 2] + 180) % 360 - 180
    assert np.abs(turned[coloured]).max(initial=0) < 2


@pytest.mark.parametrize("name", ["contrast", "brightness", "highlights", "shadows", "linearOffset"])
@pytest.mark.parametrize("value", [-60, 40])
def test_hues_stay_under_tone(name: str, value: int) -> None:
    rgb = 0.15 + 0.7 * grid(5)
    before, after = oklch(linear(rgb)), oklch(linear(adjust(rgb, Adjust.parse({name: value}))))
    coloured = (before[:, 1] > 0.04) & (after[:, 1] > 0.02)
    turned = (after[:, 2] - before[:, 2] + 180) % 360 - 180
    assert np.abs(turned[coloured]).max() < 15


def test_vibrance_moves_muted_colours_more_than_vivid_ones() -> None:
    for value in (-60, 40, 100):
        muted, vivid = (
            abs(float(np.log(chroma(adjusted(rgb, vibrance=value))[0] / chroma(rgb)[0])))
            for rgb in (MUTED_BLUE, VIVID_BLUE)
        )
        assert muted > 3 * vivid


@pytest.mark.parametrize("skin", SKIN)
def test_vibrance_spares_skin(skin: Array) -> None:
    lch = oklch(linear(skin))
    other = lch + np.array([0, 0, 180], np.float32)
    gains = [chroma(adjusted(rgb, vibrance=60)) / chroma(rgb) for rgb in (skin, encode(from_oklch(other)))]
    assert 1 < gains[0][0] < 1 + 0.6 * (gains[1][0] - 1)


def test_temperature_and_tint_keep_the_luminance_of_grey() -> None:
    middle = GREYS[24:25]
    for name in ("temperature", "tint"):
        for value in (-60, 40):
            changed = adjust(middle, Adjust.parse({name: value}))
            assert mean_luminance(changed) == pytest.approx(mean_luminance(middle), rel=0.01)


@given(st.integers(-100, 100), st.integers(-100, 100))
def test_opposite_white_balances_cancel_out(temperature: int, tint: int) -> None:
    both = white_gains(temperature, tint) * white_gains(-temperature, -tint)
    assert both / both[1] == pytest.approx(1, abs=1e-4)


def test_hue_turns_colours_and_leaves_greys() -> None:
    rgb = patch(170, 120, 110)
    before, after = oklch(linear(rgb))[0], oklch(linear(adjusted(rgb, hue=120)))[0]
    assert (after[2] - before[2]) % 360 == pytest.approx(120, abs=1)
    assert after[:2] == pytest.approx(before[:2], abs=0.01)
    assert adjusted(GREYS, hue=120) == pytest.approx(GREYS, abs=1e-3)


@pytest.mark.parametrize("name", SIGNED)
@settings(max_examples=8)
@given(st.integers(-100, 100))
def test_smooth_gradients_stay_smooth(name: str, value: int) -> None:
    rows = adjust(gradients(), Adjust.parse({name: value}))
    assert steepest(rows) < STEEPEST
    assert largest_bend(rows) < LARGEST_BEND
    assert seen_steps(rows[:, ::4]).max() < FARTHEST_SEEN


@settings(max_examples=40)
@given(st.integers(0, 360))
def test_gradients_stay_smooth_when_hues_turn(degrees: int) -> None:
    steps = seen_steps(adjusted(gradients(257), hue=degrees))
    assert steps.max() < FARTHEST_SEEN_TURNED
    assert np.abs(np.diff(steps, axis=1)).max() < 0.75

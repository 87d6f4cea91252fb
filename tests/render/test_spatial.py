from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.grade import Grade
from app.render.colour import Array, luminance
from app.render.pipeline import apply_grade
from tests.render.pictures import photo

Step = Callable[[Array, int], Array]


def step_of(name: str) -> Step:
    return lambda image, amount: apply_grade(image, Grade.parse({"adjust": {name: amount}}))


bloom, sharpen, structure = step_of("bloom"), step_of("sharpen"), step_of("structure")
STEPS = pytest.mark.parametrize("step", [bloom, sharpen, structure], ids=["bloom", "sharpen", "structure"])


def detail(image: Array) -> float:
    """How much neighbouring pixels differ in luma."""
    luma = luminance(image)
    return float(np.abs(np.diff(luma, axis=0)).mean() + np.abs(np.diff(luma, axis=1)).mean())


def lamp(side: int = 96) -> Array:
    """A white square on black."""
    image = np.zeros((side, side, 3), np.float32)
    third = side // 3
    image[third : 2 * third, third : 2 * third] = 1
    return image


def at(image: Array, width: int) -> Array:
    """The picture at another width, as bytes would carry it."""
    height = round(image.shape[0] * width / image.shape[1])
    picture = Image.fromarray((image * 255).round().astype(np.uint8)).resize((width, height), Image.Resampling.BOX)
    return np.asarray(picture, np.float32) / np.float32(255)


@STEPS
@given(st.integers(1, 100), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_pictures_of_any_size_stay_in_range(step: Step, amount: int, height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).random((height, width, 3), np.float32).round(1)
    before = image.copy()
    result = step(image, amount)
    assert result.shape == image.shape
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert result.min() >= 0
    assert result.max() <= 1
    assert np.array_equal(image, before)


@STEPS
def test_a_grey_picture_stays_grey(step: Step) -> None:
    grey = np.repeat(photo()[..., :1], 3, axis=-1)
    result = step(grey, 100)
    assert np.array_equal(result[..., 0], result[..., 1])
    assert np.array_equal(result[..., 1], result[..., 2])


@STEPS
def test_an_even_dark_surface_stays_what_it_is(step: Step) -> None:
    even = np.full((40, 60, 3), 0.25, np.float32)
    assert step(even, 100) == pytest.approx(even, abs=1e-5)


@pytest.mark.parametrize("step", [sharpen, structure], ids=["sharpen", "structure"])
def test_more_of_it_gives_more_detail(step: Step) -> None:
    image = photo("chelsea", 96)
    measured = [detail(image)] + [detail(step(image, amount)) for amount in (10, 40, 100)]
    assert (np.diff(measured) > 0).all(), measured


def test_more_bloom_gives_more_light_around_a_lamp_and_darkens_nothing() -> None:
    image = lamp()
    around = [float(bloom(image, amount)[28:31, 40:56].mean()) for amount in (1, 20, 60, 100)]
    assert (np.diff(around) > 0).all(), around
    assert around[2] > 0.15
    assert (bloom(photo(), 100) >= photo() - 1e-5).all()


def test_bloom_fades_with_the_distance_to_the_lamp() -> None:
    row = bloom(lamp(), 80)[48, :33, 0]
    assert (np.diff(row) > -1e-4).all()
    assert row[0] < 0.1


def test_the_glow_has_the_colour_of_the_light() -> None:
    red = lamp() * np.array([1, 0.6, 0.5], np.float32)
    glow = bloom(red, 80)[48, 28]
    assert glow[0] > glow[1] > glow[2]


def test_structure_leaves_a_strong_edge_without_halo() -> None:
    edge = np.full((64, 128, 3), 0.2, np.float32)
    edge[:, 64:] = 0.8
    assert structure(edge, 100) == pytest.approx(edge, abs=0.1)


def test_sharpening_overshoots_a_strong_edge_only_a_little() -> None:
    edge = np.full((64, 128, 3), 0.2, np.float32)
    edge[:, 64:] = 0.8
    assert sharpen(edge, 100) == pytest.approx(edge, abs=0.2)


@pytest.mark.parametrize(("step", "bound"), [(bloom, 0.02), (structure, 0.04)], ids=["bloom", "structure"])
def test_a_preview_looks_like_the_full_picture(step: Step, bound: float) -> None:
    full = photo("astronaut", 512)
    full = at(full, 1024)
    preview = step(at(full, 256), 60)
    assert np.abs(at(step(full, 60), 256) - preview).mean() < bound / 2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.grade import Adjust, Grade
from app.render.adjust import adjust
from app.render.colour import Array
from app.render.pipeline import apply_grade, compile_lut, is_pointwise, is_spatial, pointwise
from app.render.presets import look
from app.render.selective import selective
from tests.grade.strategies import grades
from tests.grade.strategies import settings as tool_settings
from tests.render.pictures import grid, photo, seen_steps

COLOUR = st.tuples(*[st.sampled_from([0.0, 1.0]) | st.floats(0, 1, width=32)] * 3)

GOLDEN_HOUR = Grade.parse(
    {
        "adjust": {"contrast": 10, "brightness": 10, "highlights": 20, "shadows": -10, "saturation": 15, "vibrance": 15}
        | {"temperature": 30, "tint": 10},
        "selective_adjust": {
            "red": {"saturation": 20, "luminance": 10},
            "orange": {"saturation": 30, "luminance": 20},
            "yellow": {"saturation": 40, "luminance": 30},
            "green": {"saturation": -20},
            "cyan": {"saturation": -20},
        },
        "filter": {"name": "faded_HighNoon", "intensity": 40},
    }
)
DREAM = Grade.parse({"adjust": {"brightness": 10, "bloom": 50, "sharpen": 20, "structure": 30}})


def as_bytes(image: Array) -> np.ndarray:
    return (image * 255).round().astype(np.uint8)


@settings(max_examples=50)
@given(grades(), st.integers(0, 100))
def test_any_grade_gives_pictures_in_range(grade: Grade, strength: int) -> None:
    image = photo(side=16)
    result = apply_grade(image, grade, strength)
    assert result.shape == image.shape
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert result.min() >= 0
    assert result.max() <= 1


@given(grades())
def test_strength_zero_changes_no_bit(grade: Grade) -> None:
    for image in (photo(side=16), as_bytes(photo(side=16))):
        assert np.array_equal(apply_grade(image, grade, 0), image)
    assert np.array_equal(pointwise(grade, 0)(grid(3)), grid(3))


@given(grades(), COLOUR, COLOUR)
def test_no_grade_tears_a_gradient(grade: Grade, start: tuple[float, ...], end: tuple[float, ...]) -> None:
    """Whatever is asked for at once: a sixteenth of a step of 8 bits never becomes a step that is seen (CIEDE2000)."""
    way = np.linspace(0, 1, 16 * 256 + 1, dtype=np.float32)[:, None]
    row = np.array([start], np.float32) * (1 - way) + np.array([end], np.float32) * way
    assert seen_steps(pointwise(grade)(row)[None]).max() < 2


def test_a_neutral_grade_changes_no_bit() -> None:
    for image in (photo(), as_bytes(photo())):
        for grade in (Grade(), Grade(adjust=Adjust())):
            result = apply_grade(image, grade)
            assert np.array_equal(result, image)
            assert result is not image
    assert np.array_equal(pointwise(Grade())(grid()), grid())


def test_the_picture_itself_is_not_changed() -> None:
    image, before = photo(), photo()
    apply_grade(image, DREAM)
    assert np.array_equal(image, before)


@settings(max_examples=30)
@given(tool_settings("adjust"))
def test_without_saturation_pictures_are_grey(drawn: Adjust) -> None:
    grade = Grade(adjust=drawn.model_copy(update={"saturation": -100}))
    for image in (photo(side=16), as_bytes(photo(side=16))):
        result = apply_grade(image, grade)
        assert np.array_equal(result[..., 0], result[..., 1])
        assert np.array_equal(result[..., 1], result[..., 2])


def test_the_order_is_adjust_then_selective_adjust_then_filter() -> None:
    grade, rgb = GOLDEN_HOUR, grid(5)
    assert grade.adjust
    assert grade.selective_adjust
    below = selective(adjust(rgb, grade.adjust), grade.selective_adjust)
    expected = below + 0.4 * (look("faded_HighNoon")(below) - below)
    assert pointwise(grade)(rgb) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("grade", [GOLDEN_HOUR, DREAM], ids=["pointwise", "spatial"])
def test_strength_blends_evenly_between_picture_and_result(grade: Grade) -> None:
    image = photo()
    full = apply_grade(image, grade)
    for strength in (25, 70):
        expected = image + (full - image) * strength / 100
        assert apply_grade(image, grade, strength) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("grade", [GOLDEN_HOUR, DREAM], ids=["pointwise", "spatial"])
def test_bytes_and_floats_show_the_same(grade: Grade) -> None:
    image = as_bytes(photo())
    result = apply_grade(image, grade)
    assert result.dtype == np.uint8
    exact = apply_grade(image.astype(np.float32) / np.float32(255), grade)
    # Structure hands bytes on to the LUT, at the price of one more rounding.
    assert np.abs(result / 255 - exact).max() < (3 if is_spatial(grade) else 1.1) / 255


def test_the_lut_shows_what_the_formulas_say() -> None:
    image = photo(side=96)
    error = np.abs(compile_lut(GOLDEN_HOUR).apply(image) - pointwise(GOLDEN_HOUR)(image))
    assert error.mean() < 0.2 / 255
    assert np.quantile(error, 0.99) < 1 / 255
    assert error.max() < 2 / 255


@given(grades())
def test_a_grade_is_spatial_by_bloom_sharpen_and_structure_alone(grade: Grade) -> None:
    named = grade.adjust is not None and any((grade.adjust.bloom, grade.adjust.sharpen, grade.adjust.structure))
    assert is_spatial(grade) == named
    assert is_spatial(grade) or is_pointwise(grade) or grade == Grade()


def test_a_grade_of_spatial_steps_alone_needs_no_lut() -> None:
    assert not is_pointwise(Grade.parse({"adjust": {"bloom": 50}}))
    assert is_pointwise(DREAM)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (4, 4, 1), (0, 4, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        apply_grade(np.zeros(shape, np.float32), GOLDEN_HOUR)


def test_other_types_and_strengths_are_refused() -> None:
    with pytest.raises(ValueError, match="int32"):
        apply_grade(np.zeros((4, 4, 3), np.int32), GOLDEN_HOUR)  # type: ignore[arg-type]
    for strength in (-1, 101):
        with pytest.raises(ValueError, match="strength"):
            apply_grade(photo(), GOLDEN_HOUR, strength)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.render.colour import Array
from app.render.lut import MAX_SIZE, Lut

sizes = st.integers(2, 9)
seeds = st.integers(0, 2**32 - 1)


def random_lut(seed: int, size: int) -> Lut:
    return Lut(np.random.default_rng(seed).random((size, size, size, 3), np.float32))


def some_colours(count: int) -> Array:
    return np.random.default_rng(5).random((count, 3), np.float32)


def smooth(rgb: Array) -> Array:
    """A grade of the strength of a preset: contrast, and channels that mix."""
    curved = rgb - 0.5 * np.sin(2 * np.pi * rgb) / (2 * np.pi)
    return (0.8 * curved + 0.2 * curved[..., ::-1] ** 2).astype(np.float32)


def trilinear(table: Array, colour: Array) -> Array:
    """The definition, one colour at a time."""
    at = colour.astype(np.float64) * (len(table) - 1)
    cell = np.minimum(at.astype(int), len(table) - 2)
    share = at - cell
    corners = np.ndindex(2, 2, 2)
    return sum(
        np.prod(np.where(corner, share, 1 - share)) * table[tuple(cell + corner)] for corner in map(np.array, corners)
    )


@settings(max_examples=20)
@given(seed=seeds, size=sizes)
def test_a_colour_on_the_grid_comes_out_as_it_stands_in_the_table(seed: int, size: int) -> None:
    lut = random_lut(seed, size)
    grid = Lut.of(lambda rgb: rgb, size).table
    assert lut.apply(grid) == pytest.approx(lut.table, abs=2e-6)


@settings(max_examples=20)
@given(seed=seeds, size=sizes)
def test_between_the_points_it_is_trilinear(seed: int, size: int) -> None:
    lut = random_lut(seed, size)
    colours = np.random.default_rng(seed).random((5, 3), np.float32)
    assert lut.apply(colours) == pytest.approx(np.stack([trilinear(lut.table, c) for c in colours]), abs=2e-6)


@settings(max_examples=20)
@given(seed=seeds, size=sizes)
def test_what_is_beyond_the_cube_counts_as_its_border(seed: int, size: int) -> None:
    lut = random_lut(seed, size)
    colours = np.random.default_rng(seed).uniform(-3, 4, (5, 3)).astype(np.float32)
    assert np.array_equal(lut.apply(colours), lut.apply(colours.clip(0, 1)))


def test_a_smooth_function_is_met_within_one_step_of_eight_bits() -> None:
    colours = some_colours(2000)
    assert np.abs(Lut.of(smooth, 33).apply(colours) - smooth(colours)).max() < 1 / 255


def test_any_shape_is_kept_and_the_input_is_not_changed() -> None:
    colours = some_colours(24).reshape(2, 3, 4, 3)
    before = colours.copy()
    assert random_lut(1, 3).apply(colours).shape == (2, 3, 4, 3)
    assert random_lut(1, 3).apply(colours[:, ::2, ::-1]).shape == (2, 2, 4, 3)
    assert random_lut(1, 3).apply(colours[:0]).shape == (0, 3, 4, 3)
    assert np.array_equal(colours, before)


@pytest.mark.parametrize("size", [2, 17, 33, 65])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_whole_numbers_are_those_of_floats_rounded(size: int, dtype: type) -> None:
    lut = random_lut(2, size) if size == 2 else Lut.of(smooth, size)
    full = np.iinfo(dtype).max
    picture = (some_colours(4096).reshape(64, 64, 3) * full).round().astype(dtype)
    looked_up = lut.apply(picture)
    assert looked_up.dtype == dtype
    assert np.abs(looked_up - lut.apply(picture / np.float32(full)) * full).max() <= 0.51


def test_it_knows_which_channel_is_which() -> None:
    red_to_blue = Lut.of(lambda rgb: np.stack([0 * rgb[..., 0], rgb[..., 1] / 2, rgb[..., 0]], axis=-1), 17)
    assert red_to_blue.apply(np.array([[200, 100, 30]], np.uint8)).tolist() == [[0, 50, 200]]


def test_a_table_is_read_only_and_apart_from_what_it_was_made_of() -> None:
    table = np.zeros((2, 2, 2, 3), np.float32)
    lut = Lut(table)
    table[:] = 1
    assert lut.table.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        lut.table[0] = 1


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((2, 2, 3, 3)), "shape"),
        (np.zeros((2, 2, 2, 4)), "shape"),
        (np.zeros((8, 3)), "shape"),
        (np.zeros((1, 1, 1, 3)), "points"),
        (np.zeros((MAX_SIZE + 1,) * 3 + (3,)), "points"),
        (np.full((2, 2, 2, 3), np.nan), "within"),
        (np.full((2, 2, 2, 3), 1.5), "within"),
    ],
)
def test_what_is_no_lut_is_refused(table: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Lut(table)

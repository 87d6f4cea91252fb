import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.render import cube
from app.render.cube import CubeError
from app.render.lut import Lut
from tests.render.test_lut import random_lut, seeds, sizes

DIM = """# a comment
TITLE "half as bright"
LUT_3D_SIZE 2

0 0 0
.5 0 0
0 5e-1 0
0.5 0.5 0
0 0 0.5
0.5 0 0.5
0 0.5 0.5
0.5 0.5 0.5
"""


def with_line(number: int, line: str) -> str:
    """`DIM` with another line in place of the one of that number, from 1."""
    lines = DIM.split("\n")
    lines[number - 1] = line
    return "\n".join(lines)


@settings(max_examples=25)
@given(seed=seeds, size=sizes, title=st.text())
def test_what_is_written_can_be_read(seed: int, size: int, title: str) -> None:
    lut = random_lut(seed, size)
    assert cube.read(cube.write(lut, title)).table == pytest.approx(lut.table, abs=6e-7)


@given(title=st.text())
def test_no_title_breaks_out_of_its_line(title: str) -> None:
    lines = cube.write(Lut.of(lambda rgb: rgb, 2), title).split("\n")
    assert lines[0].startswith('TITLE "')
    assert lines[0].count('"') == 2
    assert lines[0].isprintable()
    assert len(lines[0].encode()) < 512
    assert lines[1] == "LUT_3D_SIZE 2"


def test_the_text_is_what_other_programs_expect() -> None:
    swapped = Lut.of(lambda rgb: rgb[..., [2, 1, 0]] / 3, 2)
    assert cube.write(swapped, 'say "red"\nand blue').split("\n") == [
        "TITLE \"say 'red' and blue\"",
        "LUT_3D_SIZE 2",
        "DOMAIN_MIN 0 0 0",
        "DOMAIN_MAX 1 1 1",
        "0.000000 0.000000 0.000000",
        "0.000000 0.000000 0.333333",
        "0.000000 0.333333 0.000000",
        "0.000000 0.333333 0.333333",
        "0.333333 0.000000 0.000000",
        "0.333333 0.000000 0.333333",
        "0.333333 0.333333 0.000000",
        "0.333333 0.333333 0.333333",
        "",
    ]


@pytest.mark.parametrize(
    "text", [DIM, DIM.replace("\n", "\r\n"), "\ufeff" + DIM, DIM.replace(" ", "\t"), DIM.replace("\n", "\n# more\n")]
)
def test_a_file_of_another_program_is_read(text: str) -> None:
    assert np.array_equal(cube.read(text).table, Lut.of(lambda rgb: rgb / 2, 2).table)


def test_red_changes_fastest() -> None:
    table = cube.read(with_line(6, "0.9 0.8 0.7")).table
    assert table[1, 0, 0] == pytest.approx([0.9, 0.8, 0.7])


@pytest.mark.parametrize("domain", ["DOMAIN_MIN -1 -1 -1\nDOMAIN_MAX 3 3 3", "LUT_3D_INPUT_RANGE -1 3"])
def test_another_domain_is_resampled(domain: str) -> None:
    identity = cube.write(Lut.of(lambda rgb: rgb, 5)).replace("DOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1", domain)
    assert cube.read(identity).table == pytest.approx(Lut.of(lambda rgb: (rgb + 1) / 4, 5).table, abs=1e-5)


def test_colours_that_no_picture_shows_are_clipped() -> None:
    assert cube.read(with_line(6, "1.7 -0.2 0.5")).table[1, 0, 0] == pytest.approx([1, 0, 0.5])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "LUT_3D_SIZE is missing"),
        (with_line(3, ""), "LUT_3D_SIZE is missing"),
        (with_line(3, "LUT_3D_SIZE 3"), "27 rows, not 8"),
        (with_line(12, ""), "8 rows, not 7"),
        (DIM + "1 1 1\n", "8 rows, not 9"),
        (with_line(3, "LUT_3D_SIZE 1"), "line 3: LUT_3D_SIZE is a whole number 2..65, not '1'"),
        (with_line(3, "LUT_3D_SIZE 1000000"), "line 3"),
        (with_line(3, "LUT_3D_SIZE 2.0"), "line 3"),
        (with_line(3, "LUT_3D_SIZE"), "line 3"),
        (with_line(3, "LUT_1D_SIZE 2"), "1D"),
        (with_line(7, "0 half 0"), "line 7: expected 3 finite numbers, found '0 half 0'"),
        (with_line(7, "half 0 0"), "line 7: neither a keyword nor three numbers: 'half 0 0'"),
        (with_line(7, "0 1_0 0"), "line 7"),
        (with_line(7, "0 0"), "line 7"),
        (with_line(7, "0 0 0 0"), "line 7"),
        (with_line(7, "0 nan 0"), "line 7"),
        (with_line(7, "nan 0 0"), "line 7"),
        (with_line(7, "0 0 -inf"), "line 7"),
        (with_line(7, "0 0 1e99"), "line 7"),
        (with_line(4, "DOMAIN_MIN 0 0"), "line 4"),
        (with_line(4, "DOMAIN_MAX 1 1 nan"), "line 4"),
        (with_line(4, "DOMAIN_MIN 0 0 1"), "DOMAIN_MIN must be below DOMAIN_MAX"),
        (with_line(4, "LUT_3D_INPUT_RANGE 1"), "line 4"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(text: str, message: str) -> None:
    with pytest.raises(CubeError) as error:
        cube.read(text)
    assert message in str(error.value)


@given(text=st.text() | st.text("LUT_3DSIZE 0.12\n#naif-").map(lambda rest: "LUT_3D_SIZE 2\n" + rest))
def test_no_text_fails_in_another_way(text: str) -> None:
    with pytest.raises(CubeError):
        cube.read(text)

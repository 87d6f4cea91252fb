"""What other programs show with our `.cube` files: real ffmpeg (lut3d) and real OpenColorIO."""

import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import PyOpenColorIO
import pytest

from app.grade import PRESETS, Grade
from app.grade.example import GRADE
from app.render import Lut, apply_grade, compile_lut, write_cube
from app.render.colour import Array
from app.render.presets import look
from tests.render.pictures import photo

Program = Callable[[str], str]

LOOKS = {
    "golden hour": GRADE,
    "bleak": Grade.parse({"adjust": {"exposure": -30, "contrast": 40, "saturation": -60, "temperature": -35}}),
    "alien": Grade.parse({"adjust": {"hue": 150, "vibrance": 60, "linearOffset": 25, "tint": -40}}),
    "only red": Grade.parse({"selective_adjust": {name: {"saturation": -100} for name in ("green", "cyan", "blue")}}),
    "black and white": Grade.parse({"adjust": {"saturation": -100, "highlights": -50, "shadows": 50}}),
}
FILTERS = {name: Grade.parse({"filter": {"name": name, "intensity": 100}}) for name in PRESETS[1:]}
TITLES = [
    'say "red"',
    'two\nlines\r\n# "more"',
    "süß 雪 🌅",
    "",
    "LUT_3D_SIZE 2",
    "a" * 1000,
    "\x00\x1b[31m\u2028\ud800",
]


@cache
def photos() -> np.ndarray:
    """Four photos side by side, as bytes."""
    side = 64
    squares = [photo(name, 2 * side)[:side, :side] for name in ("astronaut", "chelsea", "coffee", "rocket")]
    return (np.concatenate(squares, axis=1) * 255).round().astype(np.uint8)


def as_floats(picture: np.ndarray) -> Array:
    return picture.astype(np.float32) / np.float32(255)


def by_ffmpeg(ffmpeg: str, folder: Path, cubes: Sequence[str], picture: np.ndarray) -> np.ndarray:
    """The picture under each LUT: [cubes, H, W, 3]. Interpolated as we do it; ffmpeg's default is tetrahedral."""
    height, width = picture.shape[:2]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24"]
    branches = [f"[in{n}]lut3d={cube}:interp=trilinear[out{n}];" for n, cube in enumerate(cubes)]
    split = f"split={len(cubes)}" + "".join(f"[in{n}]" for n in range(len(cubes)))
    stack = "".join(f"[out{n}]" for n in range(len(cubes))) + (f"vstack={len(cubes)}" if len(cubes) > 1 else "null")
    graph = ["-filter_complex", f"{split};{''.join(branches)}{stack}"]
    command = [ffmpeg, "-v", "error", *raw, "-s", f"{width}x{height}", "-i", "-", *graph, *raw, "-"]
    shown = subprocess.run(command, cwd=folder, input=picture.tobytes(), capture_output=True, check=True)
    return np.frombuffer(shown.stdout, np.uint8).reshape(len(cubes), *picture.shape)


def by_ocio(cube: Path, rgb: Array, interpolation: PyOpenColorIO.Interpolation = PyOpenColorIO.INTERP_LINEAR) -> Array:
    transform = PyOpenColorIO.FileTransform(src=str(cube), interpolation=interpolation)
    processor = PyOpenColorIO.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor()
    shown = np.array(rgb, np.float32, order="C")
    processor.applyRGB(shown)
    return shown


def cube_file(file: Path, lut: Lut, title: str = "a look", newline: str = "\n") -> Path:
    file.write_text(write_cube(lut, title), encoding="utf-8", newline=newline)
    return file


def test_they_show_what_our_renderer_shows(tmp_path: Path, program: Program) -> None:
    picture, grades = photos(), LOOKS | FILTERS
    files = [cube_file(tmp_path / f"{n}.cube", compile_lut(grade)) for n, grade in enumerate(grades.values())]
    shown = by_ffmpeg(program("ffmpeg"), tmp_path, [file.name for file in files], picture)
    for name, file, theirs in zip(grades, files, shown, strict=True):
        ours = apply_grade(picture, grades[name]).astype(int)
        assert np.abs(theirs - ours).max() <= 1, name
        assert np.abs(by_ocio(file, as_floats(picture)) * 255 - ours).max() <= 1, name


@pytest.mark.parametrize("size", [17, 33, 65])
def test_a_lut_of_any_size_is_read_as_we_read_it(size: int, tmp_path: Path, program: Program) -> None:
    picture, lut = photos(), compile_lut(GRADE, size)
    file, exact = cube_file(tmp_path / "look.cube", lut), lut.apply(as_floats(picture))
    assert by_ocio(file, as_floats(picture)) == pytest.approx(exact, abs=2e-5)
    (theirs,) = by_ffmpeg(program("ffmpeg"), tmp_path, [file.name], picture)
    assert np.abs(theirs / 255 - exact).max() < 1.01 / 255


def test_tetrahedral_interpolation_shows_nearly_the_same(tmp_path: Path) -> None:
    file, rgb = cube_file(tmp_path / "look.cube", compile_lut(GRADE)), as_floats(photos())
    difference = np.abs(by_ocio(file, rgb, PyOpenColorIO.INTERP_TETRAHEDRAL) - by_ocio(file, rgb))
    assert difference.mean() < 0.2 / 255
    assert difference.max() < 2 / 255


def test_a_lut_is_a_spatial_grade_without_its_spatial_steps(tmp_path: Path) -> None:
    both = Grade.parse({"adjust": {"contrast": 30, "bloom": 50, "sharpen": 20, "structure": 30}})
    pointwise = Grade.parse({"adjust": {"contrast": 30}})
    file, rgb = cube_file(tmp_path / "look.cube", compile_lut(both)), as_floats(photos())
    assert by_ocio(file, rgb) == pytest.approx(apply_grade(rgb, pointwise), abs=2e-5)


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_no_title_or_line_end_keeps_them_from_reading(newline: str, tmp_path: Path, program: Program) -> None:
    picture, negative = photos()[:16, :16], Lut.of(look("negative"), 2)
    files = [cube_file(tmp_path / f"{n}.cube", negative, title, newline) for n, title in enumerate(TITLES)]
    shown = by_ffmpeg(program("ffmpeg"), tmp_path, [file.name for file in files], picture)
    assert np.abs(shown - (255 - picture.astype(int))).max() <= 1
    for file in files:
        assert by_ocio(file, as_floats(picture)) == pytest.approx(1 - as_floats(picture), abs=1e-6)

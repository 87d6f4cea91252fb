"""The examples that people copy do what they say."""

import re
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from PIL import Image

import app.render
from app.grade import Grade
from app.render import apply_grade, compile_lut, cube
from app.settings import CHECKOUT
from tests.render.pictures import photo

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def docstring_example() -> str:
    """The indented lines of the package's docstring."""
    words = app.render.__doc__ or ""
    return dedent("\n".join(line for line in words.splitlines() if line.startswith("    ") or not line))


def readme_examples() -> list[str]:
    return [code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "app.render" in code]


@pytest.mark.parametrize("code", [docstring_example(), *readme_examples()])
def test_an_example_runs_as_it_stands(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray((photo(side=64) * 255).astype(np.uint8)).save("photo.jpg")
    names: dict[str, object] = {}
    exec(compile(code, "example", "exec"), names)
    picture, grade = np.asarray(Image.open("photo.jpg")), names["grade"]
    assert isinstance(grade, Grade)
    shown = np.asarray(Image.open("graded.jpg"), np.float32)
    expected = apply_grade(picture, grade, 70)
    assert np.abs(shown - expected).mean() < 4  # what JPEG loses
    assert np.abs(shown - picture).mean() > 8
    if "look.cube" in code:
        lut = cube.read(Path("look.cube").read_text(encoding="utf-8"))
        assert lut.table == pytest.approx(compile_lut(grade, strength=70).table, abs=1e-6)

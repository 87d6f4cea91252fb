"""`recolor apply`, against a real (tiny) student and real files."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import recolor

WARM = {"adjust": {"temperature": 40}}


def photo(file: Path) -> Path:
    ramp = np.linspace(40, 200, 32, dtype=np.uint8)
    Image.fromarray(np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], np.uint8(90)), -1)).save(file)
    return file


def grade(file: Path, settings: object = WARM) -> Path:
    file.write_text(json.dumps(settings), encoding="utf-8")
    return file


def test_a_photo_gets_a_grade_and_keeps_its_size(tmp_path: Path) -> None:
    source, target = photo(tmp_path / "in.png"), tmp_path / "out.png"
    before = source.read_bytes()
    result = recolor("apply", source, "--grade", grade(tmp_path / "grade.json"), "-o", target)
    assert result.exit_code == 0, result.stderr
    warm, plain = (np.asarray(Image.open(file).convert("RGB"), np.int32) for file in (target, source))
    assert warm.shape == plain.shape
    assert (warm - plain)[..., 0].mean() > 2 > -2 > (warm - plain)[..., 2].mean()
    assert source.read_bytes() == before
    assert not list(tmp_path.glob(".*part"))


def test_a_look_is_answered_by_the_student(tmp_path: Path) -> None:
    result = recolor("apply", photo(tmp_path / "in.jpg"), "golden hour", "-o", tmp_path / "out.jpg", "--strength", "50")
    assert result.exit_code == 0, result.stderr
    assert Image.open(tmp_path / "out.jpg").size == (32, 32)


def test_a_folder_goes_into_a_folder_and_a_damaged_photo_costs_no_other(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    photo(folder / "a.png")
    photo(folder / "c.jpg")
    (folder / "b.png").write_bytes(b"no picture")
    (folder / "notes.txt").touch()
    result = recolor("apply", folder, "--grade", grade(tmp_path / "grade.json"), "-o", out)
    assert result.exit_code == 1
    assert "b.png" in result.stderr
    assert sorted(file.name for file in out.iterdir()) == ["a.png", "c.jpg"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["in.png", "-o", "out.png"], "either a look or --grade"),
        (["in.png", "dusk", "--grade", "grade.json", "-o", "out.png"], "either a look or --grade"),
        (["missing.png", "--grade", "grade.json", "-o", "out.png"], "there is no file"),
        (["in.png", "--grade", "grade.json", "-o", "in.png"], "overwritten"),
        (["in.png", "--grade", "grade.json", "-o", "nowhere/out.png"], "there is no folder"),
        (["in.png", "--grade", "grade.json", "-o", "out.gif"], "must end as"),
        (["empty", "--grade", "grade.json", "-o", "out"], "has no"),
        (["in.png", "--grade", "missing.json", "-o", "out.png"], "missing.json"),
        (["in.png", "--grade", "wrong.json", "-o", "out.png"], "-100..100"),
        (["in.png", "--grade", "grade.json", "-o", "out.png", "--strength", "101"], "--strength"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "in.png")
    (tmp_path / "empty").mkdir()
    grade(tmp_path / "grade.json")
    grade(tmp_path / "wrong.json", {"adjust": {"contrast": 9999}})
    result = recolor("apply", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (tmp_path / "out.png").exists()

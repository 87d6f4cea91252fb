"""`recolor export` and `recolor lut`, against a real (tiny) student and real files."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from app.grade import Grade
from app.render import compile_lut, cube
from tests.cli.conftest import recolor

DREAM = {"adjust": {"temperature": 40, "bloom": 30, "sharpen": 15}}
CRS = "{http://ns.adobe.com/camera-raw-settings/1.0/}"


@pytest.fixture
def grade(tmp_path: Path) -> Path:
    return written(tmp_path / "dream.json", DREAM)


def written(file: Path, settings: object) -> Path:
    file.write_text(json.dumps(settings), encoding="utf-8")
    return file


def kind_of(file: Path) -> str | None:
    packet = ElementTree.parse(file).getroot()
    return packet[0][0].get(f"{CRS}PresetType")


def test_a_look_becomes_files_for_editors(tmp_path: Path) -> None:
    files = [tmp_path / f"look.{ending}" for ending in ("cube", "xmp", "json")]
    result = recolor("export", "golden hour", *(argument for file in files for argument in ("-o", file)))
    assert result.exit_code == 0, result.stderr
    assert [line for line in result.stdout.splitlines() if line] == [f"wrote {file}" for file in files]
    grade = Grade.parse(json.loads(files[2].read_text(encoding="utf-8")))
    lut = cube.read(files[0].read_text(encoding="utf-8"))
    assert lut.table == pytest.approx(compile_lut(grade, 33).table, abs=1e-6)
    assert kind_of(files[1]) == "Normal"
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_a_look_becomes_a_cube_file(tmp_path: Path) -> None:
    file = tmp_path / "look.cube"
    result = recolor("lut", "golden hour", "-o", file, "--size", "17")
    assert result.exit_code == 0, result.stderr
    text = file.read_text(encoding="utf-8")
    assert cube.read(text).size == 17
    assert text.startswith('TITLE "golden hour"\n')


@pytest.mark.parametrize("command", ["export", "lut"])
def test_a_grade_becomes_a_cube_file(command: str, tmp_path: Path, grade: Path) -> None:
    file = tmp_path / "look.cube"
    result = recolor(command, "--grade", grade, "-o", file, "--size", "9", "--strength", "50")
    assert result.exit_code == 0, result.stderr
    text = file.read_bytes().decode("utf-8")
    assert text.startswith('TITLE "dream"\n')
    assert "\r" not in text
    assert np.allclose(cube.read(text).table, compile_lut(Grade.parse(DREAM), 9, 50).table, atol=1e-6)


def test_what_a_grade_was_exported_as_can_be_used_again(tmp_path: Path, grade: Path) -> None:
    recolor("export", "--grade", grade, "-o", tmp_path / "a.json")
    recolor("export", "--grade", tmp_path / "a.json", "-o", tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert Grade.parse(json.loads((tmp_path / "b.json").read_text())) == Grade.parse(DREAM)


def test_steps_that_a_file_cannot_hold_are_named(tmp_path: Path, grade: Path) -> None:
    files = {name: tmp_path / name for name in ("look.cube", "look.xmp", "profile.xmp")}
    cube_result = recolor("export", "--grade", grade, "-o", files["look.cube"])
    assert f"{files['look.cube']} is without bloom 30, sharpen 15" in cube_result.stderr
    preset = recolor("export", "--grade", grade, "-o", files["look.xmp"])
    assert f"{files['look.xmp']} is without bloom 30: " in preset.stderr
    profile = recolor("export", "--grade", grade, "-o", files["profile.xmp"], "--profile")
    assert "is without bloom 30, sharpen 15" in profile.stderr
    assert kind_of(files["profile.xmp"]) == "Look"


def test_a_look_that_changes_nothing_is_exported_but_said(tmp_path: Path) -> None:
    result = recolor("export", "--grade", written(tmp_path / "none.json", {}), "-o", tmp_path / "look.cube")
    assert result.exit_code == 0
    assert "changes nothing" in result.stderr
    assert (tmp_path / "look.cube").is_file()


def test_an_export_takes_the_place_of_an_older_one(tmp_path: Path, grade: Path) -> None:
    file = written(tmp_path / "look.xmp", "an older file")
    assert recolor("export", "--grade", grade, "-o", file).exit_code == 0
    assert kind_of(file) == "Normal"


@pytest.mark.parametrize("name", ['say "red"', "two\nlines", "bunt [red]ä🌅", "' ; rm -rf", "-o"])
def test_any_file_name_is_taken_as_it_is(name: str, tmp_path: Path, grade: Path) -> None:
    file = tmp_path / f"{name}.cube"
    result = recolor("export", "--grade", grade, "-o", file, "--size", "2")
    assert result.exit_code == 0, result.stderr
    assert cube.read(file.read_text(encoding="utf-8")).size == 2
    assert f"wrote {file}" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "dusk"], "Missing option"),
        (["export", "-o", "look.cube"], "either a look or --grade"),
        (["export", "dusk", "--grade", "dream.json", "-o", "look.cube"], "either a look or --grade"),
        (["export", "dusk", "-o", "look.txt"], "must end in .cube or .xmp or .json"),
        (["lut", "dusk", "-o", "look.xmp"], "must end in .cube"),
        (["export", "dusk", "-o", "look.cube", "-o", "nowhere/look.xmp"], "there is no folder"),
        (["export", "dusk", "-o", "look.cube", "--profile"], "only an .xmp file"),
        (["export", "dusk", "-o", "look.json", "--strength", "50"], "full strength"),
        (["export", "dusk", "-o", "look.cube", "--size", "66"], "--size"),
        (["export", "dusk", "-o", "look.cube", "--strength", "101"], "--strength"),
        (["export", "--grade", "missing.json", "-o", "look.cube"], "missing.json"),
        (["export", "--grade", "wrong.json", "-o", "look.cube"], "-100..100"),
        (["export", "--grade", "deep.json", "-o", "look.cube"], "nested too deeply"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], words: str, tmp_path: Path, grade: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "wrong.json", {"adjust": {"contrast": 9999}})
    (tmp_path / "deep.json").write_text("[" * 100_000)
    result = recolor(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not list(tmp_path.glob("look*"))


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, grade: Path) -> None:
    (tmp_path / "look.cube").mkdir()
    result = recolor("export", "--grade", grade, "-o", tmp_path / "look.cube")
    assert result.exit_code == 1
    assert "look.cube: " in result.stderr
    assert not list(tmp_path.glob(".*"))

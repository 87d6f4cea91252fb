"""`recolor apply`, against a real (tiny) student and real files."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from app.settings import CHECKOUT
from tests.cli.conftest import recolor
from tests.render.clips import USUAL, clip, content

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
        (["in.png", "--grade", "grade.json", "-o", "out.mp4"], "must end as a photo"),
        (["clip.mp4", "--grade", "grade.json", "-o", "out.png"], "must end as a video"),
        (["in.png", "in2.png", "-o", "out"], "either a look or --grade"),
        (["in.png", "in2.png", "dusk", "-o", "out.png"], "go into a folder"),
        (["in.png", "in2.png", "dusk", "-o", "."], "overwritten"),
        (["in.png", "dusk", "-o", "in2.png"], "--force"),
        (["notes.txt", "dusk", "-o", "out.png"], "does not end as"),
        (["empty", "--grade", "grade.json", "-o", "out"], "has no"),
        (["*.gif", "--grade", "grade.json", "-o", "out"], "no photo or video *.gif"),
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
    photo(tmp_path / "in2.png")
    (tmp_path / "clip.mp4").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    grade(tmp_path / "grade.json")
    grade(tmp_path / "wrong.json", {"adjust": {"contrast": 9999}})
    before = sorted(tmp_path.iterdir())
    result = recolor("apply", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_a_photo_becomes_what_the_ending_says(tmp_path: Path) -> None:
    source, settings = photo(tmp_path / "in.jpg"), grade(tmp_path / "grade.json")
    for ending, kind in (("PNG", "PNG"), ("webp", "WEBP"), ("tif", "TIFF"), ("jpeg", "JPEG")):
        result = recolor("apply", source, "--grade", settings, "-o", tmp_path / f"out.{ending}")
        assert result.exit_code == 0, result.stderr
        assert Image.open(tmp_path / f"out.{ending}").format == kind


def test_files_folders_and_patterns_go_into_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "a [1].png",
        "more/b.jpg",
        "more/b.txt",
        "more/deep/c.webp",
        "more/deep/d.jpg",
        "e.png",
        "more/._b.jpg",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        photo(Path(name)) if Path(name).suffix != ".txt" else Path(name).touch()
    result = recolor("apply", "a [1].png", "e.png", "more", "**/*.webp", "e.p[nm]g", "golden hour", "-o", "new/out")
    assert result.exit_code == 0, result.stderr
    assert sorted(file.name for file in Path("new/out").iterdir()) == ["a [1].png", "b.jpg", "c.webp", "e.png"]


def test_what_exists_is_replaced_only_by_force(tmp_path: Path) -> None:
    source, target, settings = photo(tmp_path / "in.png"), tmp_path / "out.png", grade(tmp_path / "grade.json")
    target.write_bytes(b"of yesterday")
    result = recolor("apply", source, "--grade", settings, "-o", target)
    assert (result.exit_code, target.read_bytes()) == (2, b"of yesterday")
    assert "--force" in result.stderr
    assert recolor("apply", source, "--grade", settings, "-o", target, "--force").exit_code == 0
    assert Image.open(target).size == (32, 32)


def test_phones_photos_become_jpegs_and_take_no_other_place(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    plain = Image.open(photo(tmp_path / "plain.png"))
    for name in ("1.heic", "2.HEIC"):
        pillow_heif.from_pillow(plain).save(folder / name, quality=90)
    plain.save(folder / "3.avif")
    photo(folder / "1.jpg")
    result = recolor("apply", folder, "--grade", grade(tmp_path / "grade.json"), "-o", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    written = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in written] == ["1.jpg", "1_heic.jpg", "2.jpg", "3.jpg"]
    assert {Image.open(file).format for file in written} == {"JPEG"}


def test_two_pictures_never_become_one_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        photo(tmp_path / name / "1.png")
    settings = grade(tmp_path / "grade.json")
    result = recolor("apply", tmp_path / "a", tmp_path / "b", "--grade", settings, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "would both become" in result.stderr
    assert not (tmp_path / "out").exists()


def test_videos_are_rendered_with_their_sound(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    photo(folder / "photo [b].png")
    source = clip(folder / "clip [b].mov", replace(USUAL, sound=("aac",)))
    clip(folder / "old.avi", replace(USUAL, codec="mpeg4", options={}))
    (folder / "broken.mp4").write_bytes(source.read_bytes()[:300])
    result = recolor("apply", folder, "--grade", grade(tmp_path / "grade.json"), "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "broken.mp4" in result.stderr
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["clip [b].mov", "old.mp4", "photo [b].png"]
    before, after = content(source), content(tmp_path / "out" / "clip [b].mov")
    assert len(after.frames) == len(before.frames)
    assert after.sounds == before.sounds


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    subtitles = tmp_path / "s.srt"
    subtitles.write_text("1\n00:00:00,000 --> 00:00:00,300\nhello\n")
    clip(tmp_path / "plain.mkv")
    import av

    with (
        av.open(str(tmp_path / "plain.mkv")) as video,
        av.open(str(subtitles)) as text,
        av.open(str(tmp_path / "in.mkv"), "w") as both,
    ):
        copies = {
            stream: both.add_stream_from_template(stream, opaque=True) for stream in (video.streams[0], text.streams[0])
        }
        for container in (video, text):
            for packet in container.demux():
                if packet.size:
                    packet.stream = copies[packet.stream]
                    both.mux(packet)
    result = recolor(
        "apply", tmp_path / "in.mkv", "--grade", grade(tmp_path / "grade.json"), "-o", tmp_path / "out.mp4"
    )
    assert result.exit_code == 0, result.stderr
    assert "out.mp4: without what .mp4 cannot hold: subtitle" in result.stderr


def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path) -> None:
    clip(tmp_path / "in.mp4", replace(USUAL, size=(320, 240), count=600))
    settings = grade(tmp_path / "grade.json", {"adjust": {"structure": 40, "bloom": 40}})
    (tmp_path / "out").mkdir()
    command = [
        sys.executable,
        "-m",
        "app.cli",
        "apply",
        tmp_path / "in.mp4",
        "--grade",
        settings,
        "-o",
        tmp_path / "out",
    ]
    with subprocess.Popen(command, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True) as process:
        try:
            while process.poll() is None and not list((tmp_path / "out").glob(".*.part")):
                time.sleep(0.02)
            os.kill(process.pid, signal.SIGINT)
            _, said = process.communicate(timeout=240)
        finally:
            process.kill()
    assert process.returncode == 130, said
    assert "interrupted; 0 of 1 are written" in said
    assert not list((tmp_path / "out").iterdir())

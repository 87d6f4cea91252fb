"""`recolor reality-check`, with a real (tiny) student, a real judge over HTTP, and votes that are read back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

from app.distill.dataset import read_dataset
from app.distill.reality import judge as judging
from app.distill.reality.ballot import KEY, read_key
from app.grade import Grade
from tests.cli.conftest import recolor
from tests.distill.reality.helpers import photo
from tests.distill.reality.judges import Warmest
from tests.students.tiny import Tiny
from tests.teacher.openai_server import KEY as JUDGE_KEY
from tests.teacher.openai_server import Fail, OpenAIServer


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a", "b"):
        Image.fromarray(photo(name).pixels).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    monkeypatch.setenv("RECOLOR_JUDGE_API_KEY", JUDGE_KEY)
    monkeypatch.setenv("RECOLOR_JUDGE_RETRIES", "0")
    monkeypatch.setattr(judging, "FIRST_PAUSE", 0.01)
    with OpenAIServer() as server:
        server.reply(lambda call: True, Warmest())
        yield server


def check(tiny: Tiny, photos: Path, out: Path, *more: str | Path) -> Result:
    return recolor("reality-check", "--data", tiny.teacher, "--photos", photos, "-o", out, "--count", "3", *more)


def votes(folder: Path, annotator: str, preference: str = "a") -> Path:
    """A file of votes as the page saves it."""
    key = read_key(folder / KEY)
    cast = [{"item": item.item, "preference": preference, "fits_a": True, "fits_b": False} for item in key.items]
    file = folder / f"votes-{annotator}.json"
    content = {"poll": key.poll, "annotator": annotator, "saved": "2026-01-02T03:04:05Z", "votes": cast}
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def test_a_check_leaves_a_sheet_and_a_report_and_shows_tables(tiny: Tiny, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    result = check(tiny, photos, out)
    assert result.exit_code == 0, result.stderr
    assert {file.name for file in out.iterdir()} == {"contact-sheet.png", "report.json"}
    with Image.open(out / "contact-sheet.png") as sheet:
        assert sheet.height > 300
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["model"] == "tiny@1"
    assert report["photos"] == ["a", "b"]
    assert report["ciede2000"]["student and teacher"]["pictures"] == 6
    tests = {row.intent: row.grade for row in read_dataset(tiny.teacher) if row.split == "test"}
    assert all(Grade.parse(grades["teacher"]) == tests[grades["intent"]] for grades in report["grades"])
    assert f"{report['ciede2000']['student and teacher']['mean']:.2f}" in result.stdout
    assert "measuring" in result.stderr


def test_json_is_all_that_is_printed_and_is_the_report(tiny: Tiny, photos: Path, tmp_path: Path) -> None:
    intent = next(row.intent for row in read_dataset(tiny.teacher) if row.split == "test")
    result = check(tiny, photos, tmp_path / "out", "--json", "--intents", intent.upper())
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report == json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [grades["intent"] for grades in report["grades"]] == [intent]


def test_the_judge_sees_every_trial_and_is_reported(
    tiny: Tiny, photos: Path, tmp_path: Path, judge: OpenAIServer
) -> None:
    result = check(tiny, photos, tmp_path / "out", "--judge", "--judge-url", judge.base_url, "--judge-model", "eyes-1")
    assert result.exit_code == 0, result.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))["judge"]
    assert len(report["judgements"]) == 3
    assert len(judge.calls) == report["calls"] == 2 * (3 - report["identical"])
    assert {call.body["model"] for call in judge.calls} <= {"eyes-1"}
    assert "The judge eyes-1" in result.stdout


def test_a_dead_judge_is_told_and_costs_nothing_else(
    tiny: Tiny, photos: Path, tmp_path: Path, judge: OpenAIServer
) -> None:
    judge.reply(lambda call: True, Fail(401))
    result = check(tiny, photos, tmp_path / "out", "--judge", "--judge-url", judge.base_url)
    assert result.exit_code == 1
    assert "the judge does not answer: HTTP 401" in result.stderr
    assert "student and teacher" in result.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["ciede2000"]["student and teacher"]["pictures"] == 6
    assert "HTTP 401" in report["judge"]["error"]


def test_a_judge_without_a_key_is_refused_before_any_work(tiny: Tiny, photos: Path, tmp_path: Path) -> None:
    result = check(tiny, photos, tmp_path / "out", "--judge")
    assert result.exit_code == 1
    assert "RECOLOR_JUDGE_API_KEY" in result.stderr
    assert not (tmp_path / "out").exists()


def test_votes_on_a_written_page_are_read_back(tiny: Tiny, photos: Path, tmp_path: Path) -> None:
    result = check(tiny, photos, tmp_path / "out", "--vote", tmp_path / "vote.html")
    assert result.exit_code == 0, result.stderr
    assert "which they must not see" in result.stderr
    files = [votes(tmp_path, "anna"), votes(tmp_path, "ben", "neutral")]
    (tmp_path / "votes-odd.json").write_text("{}", encoding="utf-8")
    shown = recolor("reality-check", "--read-votes", *files, tmp_path / "votes-odd.json")
    assert shown.exit_code == 0, shown.stderr
    assert "votes-odd.json" in shown.stderr
    assert "anna" in shown.stdout
    plain = json.loads(recolor("reality-check", "--read-votes", "--json", *files).stdout)
    assert plain["model"] == "tiny@1"
    assert plain["counts"][-1]["preference"]["neutral"]["count"] == 3
    assert plain["counts"][-1]["same_look"]["total"] == 0


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["--read-votes"], "files of votes go with --read-votes", 2),
        (["votes.json"], "files of votes go with --read-votes", 2),
        (["--read-votes", "votes.json"], "there is no such key", 1),
        (["--read-votes", "votes.json", "--key", "photos/a.png"], "no key of a page of votes", 1),
        (["--vote", "nowhere/vote.html"], "lies in none", 2),
        (["-o", "votes.json"], "is no folder", 2),
        (["--photos", "nowhere"], "there is no folder nowhere", 1),
        (["--intents", "no such intent"], "'no such intent' is none of the", 1),
        (["--count", "0"], "--count", 2),
        (["--model", "tiny@9"], "there is no student tiny@9", 1),
    ],
)
def test_what_cannot_be_done_is_told(
    tiny: Tiny, photos: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str, code: int
) -> None:
    monkeypatch.chdir(photos.parent)
    Path("votes.json").write_text("{}", encoding="utf-8")
    given = [] if "--photos" in arguments else ["--photos", photos]
    result = recolor("reality-check", "--data", tiny.teacher, *given, *arguments)
    assert result.exit_code == code
    assert words in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.stderr


def test_files_without_a_usable_vote_are_refused(tiny: Tiny, photos: Path, tmp_path: Path) -> None:
    check(tiny, photos, tmp_path / "out", "--vote", tmp_path / "vote.html")
    (tmp_path / "votes-odd.json").write_text("{}", encoding="utf-8")
    result = recolor("reality-check", "--read-votes", tmp_path / "votes-odd.json")
    assert result.exit_code == 1
    assert "none of the files holds votes" in result.stderr


def test_intents_that_the_student_cannot_read_are_left_out_and_named(photos: Path, tmp_path: Path) -> None:
    rows = [{"intent": intent, "adjust": {"contrast": 10}, "split": "test"} for intent in ("noir", "тепло")]
    data = tmp_path / "teacher.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    result = recolor("reality-check", "--data", data, "--photos", photos, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert "could not read, and they are left out: тепло" in result.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [grades["intent"] for grades in report["grades"]] == ["noir"]

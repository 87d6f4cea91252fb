"""The command line, against a real (tiny) student: what it prints, what it refuses, and how it says so."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app import __version__
from app import cli as command_line
from app.cli import looks
from app.grade import TOOLS, Grade
from tests.cli.conftest import recolor
from tests.students.tiny import TEST, Tiny, write_lines

EVENTS = ["events", "events stats", "events export", "events prune", "events forget"]
LOOKS = ["grade", "apply", "export", "lut", "train", "evaluate", "distill", "reality-check"]
COMMANDS = ["serve", *LOOKS, "canary", "models", "models list", "models verify", *EVENTS]


@pytest.fixture
def store(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tiny student's store, to be damaged."""
    copy = tmp_path / "store"
    shutil.copytree(tiny.store, copy)
    monkeypatch.setenv("RECOLOR_MODEL_STORE", str(copy))
    return copy


def refused(result: Result, *words: str, code: int = 1) -> None:
    """The command ended with a word of explanation and nothing else."""
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == code
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.stderr


# Help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = recolor(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"Usage: root {command}" in result.stdout
    assert "--help" in result.stdout


def test_help_names_every_command() -> None:
    listed = recolor("--help").stdout
    assert all(command.split()[0] in listed for command in COMMANDS)


def test_help_waits_for_no_library_that_takes_seconds_to_import() -> None:
    slow = {"torch", "transformers", "openai", "fastapi", "sqlalchemy", "scipy", "matplotlib", "duckdb"}
    asked = f"import sys, app.cli; print(sorted({slow} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_version_is_told() -> None:
    assert recolor("--version").stdout == f"{__version__}\n"


# grade


def test_the_program_prints_one_json_object_a_look_and_nothing_else(loud: Tiny) -> None:
    """The whole program, as a script calls it."""
    command = [sys.executable, "-m", "app.cli", "grade", "--json", "golden hour", "less warm"]
    environment = os.environ | {"RECOLOR_MODEL_STORE": str(loud.store), "RECOLOR_MODEL": loud.model}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    grades = [json.loads(line) for line in done.stdout.splitlines()]
    assert [grade["intent"] for grade in grades] == ["golden hour", "less warm"]
    for grade in grades:
        Grade.parse({tool: grade[tool] for tool in TOOLS})
        assert grade["sources"] == dict.fromkeys(TOOLS, "student")
        assert grade["failed"] == {}


def test_the_table_shows_what_the_json_says(loud: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOLOR_MODEL_STORE", str(loud.store))
    shown = recolor("grade", "--model", loud.model, "golden hour")
    assert shown.exit_code == 0, shown.stderr
    plain = json.loads(recolor("grade", "--json", "--model", loud.model, "golden hour").stdout)
    grade = Grade.parse({tool: plain[tool] for tool in TOOLS})
    title, *lines = shown.stdout.splitlines()
    assert title.strip() == "golden hour"
    wanted = []
    for tool, model in TOOLS.items():
        settings = grade.settings(tool)
        values = zip(model.slots(), settings.flat(), strict=True) if settings else ()
        wanted += [f"{value:+d}" if slot.low < 0 else str(value) for slot, value in values if value] or ["not used"]
        assert tool.replace("_", " ") in shown.stdout
    assert len(lines) == len(wanted)
    assert all(value in line for value, line in zip(wanted, lines, strict=True))


def test_a_bar_shows_how_far_a_number_is_from_neutral() -> None:
    half = looks.BAR // 2
    for value, drawn in ((100, half), (-100, half), (50, half // 2), (1, 1), (-1, 1)):
        bar = looks._bar(value, 100)
        left, right = bar.split("│")
        assert (right if value > 0 else left).count("█") == drawn
        assert (left if value > 0 else right).count("█") == 0


def test_an_intent_that_cannot_be_read_is_told_so() -> None:
    shown = recolor("grade", "тепло")
    assert shown.exit_code == 0
    assert shown.stdout.count("low_confidence") == len(TOOLS)
    plain = json.loads(recolor("grade", "--json", "тепло").stdout)
    assert plain["failed"] == dict.fromkeys(TOOLS, "low_confidence")
    assert [plain[tool] for tool in TOOLS] == [None] * len(TOOLS)
    assert plain["sources"] == {}


def test_markup_in_an_intent_is_plain_text() -> None:
    assert "[red]hot[/red] [/]" in recolor("grade", "[red]hot[/red] [/]").stdout


def test_an_empty_look_is_refused() -> None:
    refused(recolor("grade", "golden hour", " \u200b"), "visible character", code=2)


def test_a_student_that_is_not_there_is_told_with_those_that_are() -> None:
    refused(recolor("grade", "--model", "tiny@9", "dawn"), "there is no student tiny@9", "(there: tiny@1)")


def test_a_damaged_student_is_told_by_its_file(store: Path) -> None:
    (store / "students" / "tiny" / "1" / "tokenizer.json").write_text("{}", encoding="utf-8")
    refused(recolor("grade", "dawn"), "tokenizer.json is damaged", "recolor train")


# Settings


@pytest.mark.parametrize(
    ("variable", "value"),
    [("RECOLOR_PORT", "http"), ("RECOLOR_PORT", "70000"), ("RECOLOR_DECODING", "greedy"), ("RECOLOR_THREADS", "-1")],
)
@pytest.mark.parametrize("command", [("grade", "dawn"), ("serve",), ("evaluate",), ("models", "list")], ids=" ".join)
def test_a_wrong_setting_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    refused(recolor(*command), f"recolor: {variable}: Input should be", code=2)


# models


def test_the_students_are_listed_with_their_scores(tiny: Tiny) -> None:
    result = recolor("models", "list")
    [line] = [line for line in result.stdout.splitlines() if "tiny@1" in line]
    overall = tiny.stored.manifest.scores["test"]["scores"]["All"]["overall"]
    assert f"{overall:.3f}" in line
    assert "compact" in line
    assert "Apache-2.0" in line


@pytest.mark.parametrize("arguments", [(), ("tiny@1",)])
def test_students_that_are_whole_verify(arguments: tuple[str, ...]) -> None:
    result = recolor("models", "verify", *arguments)
    assert result.exit_code == 0
    assert result.stdout.startswith("tiny@1: ")


@pytest.mark.parametrize("name", ["model.safetensors", "answers/tokenizer.json"])
def test_a_damaged_student_does_not_verify(store: Path, name: str) -> None:
    file = store / "students" / "tiny" / "1" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    refused(recolor("models", "verify"), f"{file} is damaged")


def test_a_missing_file_does_not_verify(store: Path) -> None:
    file = store / "students" / "tiny" / "1" / "config.json"
    file.unlink()
    refused(recolor("models", "verify", "tiny@1"), f"{file} is missing")


@pytest.mark.parametrize("command", ["list", "verify"])
def test_a_manifest_that_cannot_be_read_is_told_by_its_file(store: Path, command: str) -> None:
    file = store / "students" / "tiny" / "1" / "manifest.json"
    file.write_text("{", encoding="utf-8")
    refused(recolor("models", command), f"{file} is damaged")


def test_a_store_without_students_does_not_verify(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECOLOR_MODEL_STORE", str(tmp_path))
    refused(recolor("models", "verify"), f"there is no student in {tmp_path}")


# evaluate


def test_a_student_is_scored_and_the_result_written(tiny: Tiny, tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    result = recolor("evaluate", "--data", tiny.teacher, "--json", file)
    assert result.exit_code == 0, result.stderr
    assert "tiny@1, constrained decoding" in result.stdout
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["scores"]["All"]["rows"] == TEST
    assert written["validity"] == 1
    assert f"{written['scores']['All']['overall']:.3f}" in result.stdout
    # It is what the release itself was found to score.
    assert written["scores"] == tiny.stored.manifest.scores["test"]["scores"]


def test_decoding_may_be_chosen(tiny: Tiny, tmp_path: Path) -> None:
    file = tmp_path / "scores.json"
    assert recolor("evaluate", "--data", tiny.teacher, "--decoding", "free", "--json", file).exit_code == 0
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["decoding"] == "free"
    assert written["validity"] < 1


def test_a_split_without_rows_is_told(tiny: Tiny) -> None:
    result = recolor("evaluate", "--data", tiny.teacher, "--split", "tset")
    refused(result, f"{tiny.teacher} has no rows of split 'tset'")


def test_a_malformed_dataset_is_told_by_line(tmp_path: Path) -> None:
    file = write_lines(
        tmp_path / "data.jsonl", ['{"intent": "dawn", "split": "test"}', '{"intent": "noon", "adjust": 7}']
    )
    refused(recolor("evaluate", "--data", file), f"{file}:2: adjust")


def behaviours(file: Path, holding: int, failing: int) -> Path:
    """Checks of which so many hold for every student, and so many for none."""
    unread = {"kind": "unreadable", "intents": ["тепло"], "expect": [{"low_confidence": True}]}
    read = unread | {"intents": ["warm"]}
    checks = [unread] * holding + [read] * failing
    return write_lines(file, [json.dumps(check | {"id": str(number)}) for number, check in enumerate(checks)])


@pytest.mark.parametrize(("holding", "failing", "code"), [(10, 0, 0), (9, 1, 0), (8, 1, 1), (0, 1, 1)])
def test_behaviours_pass_from_nine_in_ten_on(tmp_path: Path, holding: int, failing: int, code: int) -> None:
    result_file = tmp_path / "result.json"
    file = behaviours(tmp_path / "behaviours.jsonl", holding, failing)
    result = recolor("evaluate", "--behaviours", "--file", file, "--json", result_file)
    assert result.exit_code == code, result.stderr
    written = json.loads(result_file.read_text(encoding="utf-8"))
    assert (written["passed"], written["total"]) == (holding, holding + failing)
    assert ("Not met" in result.stdout) == (failing > 0)


def test_a_malformed_behaviours_file_is_told_by_line(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "behaviours.jsonl", ['{"kind": "typo"}'])
    refused(recolor("evaluate", "--behaviours", "--file", file), f"{file}:1: id: Field required")


# train


def train(tiny: Tiny, folder: Path, *arguments: str | Path) -> Result:
    fixed = ("train", "--encoder", tiny.encoder, "--folder", folder / "run", "--store", folder / "new", "--no-extra")
    return recolor(*fixed, *arguments)


def test_a_version_that_exists_is_not_trained_again(tiny: Tiny, tmp_path: Path) -> None:
    result = train(tiny, tmp_path, "--store", tiny.store, "--name", "tiny", "--version", "1")
    refused(result, "tiny@1 exists in", "choose another --version")
    assert not (tmp_path / "run").exists()


def test_training_on_a_missing_dataset_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    file = tmp_path / "nowhere.jsonl"
    refused(train(tiny, tmp_path, "--data", file), f"{file}: cannot be read: No such file")
    assert not (tmp_path / "run").exists()


def test_training_on_a_malformed_dataset_is_refused_by_line(tiny: Tiny, tmp_path: Path) -> None:
    file = write_lines(
        tmp_path / "data.jsonl", ['{"intent": "dawn"}', '{"intent": "noon", "filter": {"name": "sepia"}}']
    )
    refused(train(tiny, tmp_path, "--data", file), f"{file}:2: filter.name: 'sepia' is not allowed")


def test_training_on_too_little_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    refused(train(tiny, tmp_path, "--data", tiny.teacher), f"{tiny.teacher}: 136 training rows, from which 600")


def test_an_encoder_that_is_none_is_told_by_the_file_it_lacks(tiny: Tiny, tmp_path: Path) -> None:
    refused(train(tiny, tmp_path, "--encoder", tmp_path), f"{tmp_path / 'config.json'} is missing", "--encoder")


def test_train_refuses_a_name_before_it_trains() -> None:
    result = CliRunner().invoke(command_line.cli, ["train", "--name", "My Model"])
    assert result.exit_code == 1
    assert "My Model@1" in result.stderr


def test_evaluate_refuses_a_missing_folder_before_it_scores(tmp_path: Path) -> None:
    result = CliRunner().invoke(command_line.cli, ["evaluate", "--json", str(tmp_path / "none" / "x.json")])
    assert result.exit_code == 2
    assert "lies in none" in result.stderr

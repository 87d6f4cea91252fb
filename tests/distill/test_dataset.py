"""Teacher datasets: what is wrong with one is told by file and line."""

import json
from pathlib import Path

import pytest

from app.distill.dataset import DatasetError, Example, read_dataset
from app.grade import Grade

FIRST = '{"intent": "dawn"}\n'


def write(tmp_path: Path, text: str | bytes) -> Path:
    file = tmp_path / "data.jsonl"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_a_row_is_an_intent_and_its_grade(tmp_path: Path) -> None:
    row = {
        "intent": "dawn",
        "adjust": {"contrast": 10},
        "selective_adjust": None,
        "filter": {"name": "vivid", "intensity": 40},
        "popularity": 4,
        "domain": "times",
        "split": "test",
        "subset": "eighth",
    }
    grade = Grade.parse({"adjust": {"contrast": 10}, "filter": {"name": "vivid", "intensity": 40}})
    assert read_dataset(write(tmp_path, json.dumps(row))) == [Example("dawn", grade, "test", 4, "times")]


def test_what_a_row_leaves_out_is_ordinary(tmp_path: Path) -> None:
    assert read_dataset(write(tmp_path, FIRST)) == [Example("dawn", Grade(), "train", 1, "")]


def test_a_tool_that_changes_nothing_is_unused(tmp_path: Path) -> None:
    row = '{"intent": "dawn", "adjust": {"contrast": 0}, "filter": {"name": "none", "intensity": 40}}'
    assert read_dataset(write(tmp_path, row))[0].grade == Grade()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ('{"intent": "a"} {"intent": "b"}', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"popularity": ' + "9" * 10_000 + "}", "not JSON"),
        ("[]", "expected an object"),
        ('"dawn"', "expected an object"),
        ("{}", "'intent' is missing or empty"),
        ('{"intent": " "}', "'intent' is missing or empty"),
        ('{"intent": 7}', "'intent' is missing or empty"),
        ('{"intent": "a", "adjust": {"contrast": 101}}', r"adjust.contrast: 101 is not allowed, .* -100..100"),
        ('{"intent": "a", "adjust": {"contrast": 1.5}}', r"adjust.contrast: 1.5 is not allowed"),
        ('{"intent": "a", "adjust": {"blur": 1}}', r"adjust: 'blur' is not allowed"),
        ('{"intent": "a", "adjust": []}', "adjust: "),
        ('{"intent": "a", "filter": {"name": "sepia"}}', r"filter.name: 'sepia' is not allowed"),
        ('{"intent": "a", "selective_adjust": {"red": {"hue": 1}}}', r"selective_adjust.red: 'hue' is not allowed"),
        ('{"intent": "a", "popularity": 0}', "'popularity' is 0, expected a whole number 1..5"),
        ('{"intent": "a", "popularity": 6}', "'popularity' is 6"),
        ('{"intent": "a", "popularity": true}', "'popularity' is True"),
        ('{"intent": "a", "popularity": "3"}', "'popularity' is '3'"),
    ],
    ids=lambda text: text[:40],
)
def test_what_is_wrong_is_told_by_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    file = write(tmp_path, f"{FIRST}\n  \n{line}\n{FIRST}")
    with pytest.raises(DatasetError, match=rf"{file}:4: {message}"):
        read_dataset(file)


def test_a_line_separator_inside_a_text_breaks_no_line(tmp_path: Path) -> None:
    intents = ["warm\u2028and dark", "next\u0085line", "page\x0cbreak", "plain"]
    lines = [json.dumps({"intent": intent}, ensure_ascii=False) for intent in intents]
    assert "\u2028" in lines[0]
    # A form feed must be escaped in JSON; the two others need not.
    assert [example.intent for example in read_dataset(write(tmp_path, "\n".join(lines)))] == intents


def test_lines_may_end_as_on_windows(tmp_path: Path) -> None:
    assert len(read_dataset(write(tmp_path, FIRST.replace("\n", "\r\n") * 3))) == 3


@pytest.mark.parametrize("content", [b"\xff\xfe{}", b'{"intent": "caf\xe9"}'])
def test_a_file_in_another_encoding_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DatasetError, match=r"data.jsonl: cannot be read"):
        read_dataset(write(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere.jsonl: cannot be read: .*No such file"):
        read_dataset(tmp_path / "nowhere.jsonl")
    with pytest.raises(DatasetError, match=r"cannot be read: .*directory"):
        read_dataset(tmp_path)

"""Intervals, the paired test, the split, and the commands that show them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from click.testing import Result
from hypothesis import given, settings
from PIL import Image
from typer.testing import CliRunner

from app import cli as command_line
from app.distill.comparison.components import Components, overall
from app.distill.comparison.report import brief
from app.distill.comparison.resampling import Difference, Interval, difference, intervals
from app.distill.dataset import DatasetError, read_dataset
from app.distill.scores import score
from app.distill.split import split
from app.grade import TOOLS, Grade
from tests.grade.strategies import grades
from tests.students.tiny import Tiny
from tests.teacher.openai_server import OpenAIServer, Say

DIM = Grade.parse({"adjust": {"exposure": -20, "contrast": 10}, "filter": {"name": "vivid", "intensity": 30}})
LIT = Grade.parse({"adjust": {"exposure": 30}, "filter": {"name": "winter", "intensity": 30}})


def certain(one: Interval) -> tuple[float, float, float]:
    return one.value, one.low, one.high


@given(st.lists(st.tuples(grades(), grades()), min_size=1, max_size=12))
def test_the_components_of_all_rows_are_the_scores(pairs: list[tuple[Grade, Grade]]) -> None:
    given_, wanted = [a for a, _ in pairs], [b for _, b in pairs]
    found = Components.of(given_, wanted).scores(np.ones((1, len(pairs))))
    expected = score(given_, wanted)
    for row, tool in enumerate(TOOLS):
        one = expected.tools[tool]
        assert found[0, row] == pytest.approx([one.selection, one.quality, one.final])
    assert overall(found)[0] == pytest.approx(expected.overall)


def test_rows_that_are_all_alike_leave_no_doubt() -> None:
    found = intervals(Components.of([DIM] * 20, [DIM] * 20))
    assert found is not None
    assert certain(found.tools["adjust"]["final"]) == pytest.approx((1, 1, 1))
    assert certain(found.tools["selective_adjust"]["final"]) == (0, 0, 0)  # never used: nothing to be right about


def test_the_interval_of_a_share_is_the_one_that_statistics_knows() -> None:
    from scipy.stats import norm

    # Filters, always used, right in 60 of 100 rows: quality is a share.
    found = intervals(Components.of([DIM] * 60 + [LIT] * 40, [DIM] * 100))
    assert found is not None
    quality = found.tools["filter"]["quality"]
    half = norm.ppf(0.975) * (0.6 * 0.4 / 100) ** 0.5
    assert certain(quality) == pytest.approx((0.6, 0.6 - half, 0.6 + half), abs=0.02)


def test_of_no_rows_nothing_is_said() -> None:
    empty = Components.of([], [])
    assert intervals(empty) is None
    assert difference(empty, empty) is None


def test_a_better_answerer_is_found_better_whichever_comes_first() -> None:
    wanted = [DIM] * 60
    good, bad = Components.of([DIM] * 55 + [LIT] * 5, wanted), Components.of([DIM] * 20 + [LIT] * 40, wanted)
    up, down = difference(bad, good), difference(good, bad)
    assert up is not None
    assert down is not None
    assert (up.verdict, down.verdict) == ("the second is better", "the first is better")
    assert up.overall.low > 0
    assert up.p < 0.01
    assert up.overall.value == pytest.approx(-down.overall.value)


def test_the_same_answers_are_no_different() -> None:
    own = Components.of([DIM, LIT] * 20, [DIM] * 40)
    assert difference(own, own) == Difference(Interval(0, 0, 0), 1.0)


def test_by_chance_a_difference_is_shown_one_time_in_twenty() -> None:
    generator = np.random.default_rng(7)
    p_values = []
    for _ in range(60):
        one, other = ([LIT if wrong else DIM for wrong in generator.random(40) < 0.4] for _ in range(2))
        found = difference(Components.of(one, [DIM] * 40), Components.of(other, [DIM] * 40))
        assert found is not None
        p_values.append(found.p)
    assert np.mean(np.array(p_values) < 0.05) < 0.15
    assert 0.35 < np.mean(p_values) < 0.75


def test_a_grade_is_told_on_one_line() -> None:
    assert brief(DIM) == "exposure -20 contrast 10 · name vivid intensity 30"
    assert brief(Grade()) == "nothing used"


ROWS = st.lists(st.text("abAB ", min_size=1).filter(str.strip).map(lambda intent: {"intent": intent}), max_size=40)


@given(ROWS, st.integers(1, 5), st.integers(0, 3))
@settings(max_examples=50)
def test_a_split_has_so_many_test_intents_and_no_intent_on_both_sides(
    rows: list[dict[str, Any]], test: int, seed: int
) -> None:
    from app.grade import fold

    intents = {fold(row["intent"]) for row in rows}
    if len(intents) < 2 * test:
        with pytest.raises(DatasetError, match="too few"):
            split(rows, test, seed)
        return
    made = split(rows, test, seed)
    sides = {side: {fold(row["intent"]) for row in made if row["split"] == side} for side in ("test", "train")}
    assert len(sides["test"]) == test
    assert not sides["test"] & sides["train"]
    assert [row["intent"] for row in made] == [row["intent"] for row in rows]
    other_order = split(rows[::-1], test, seed)
    assert {fold(row["intent"]) for row in other_order if row["split"] == "test"} == sides["test"]


@pytest.fixture
def student(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("RECOLOR_MODEL_STORE", str(tiny.store))
    monkeypatch.setenv("RECOLOR_MODEL", tiny.model)
    monkeypatch.setenv("RECOLOR_THREADS", "1")
    return tiny.model


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six test rows; beside it other answers to three of them."""
    rows = [{"intent": f"look {n}", **DIM.plain(), "split": "test", "popularity": 1 + n % 5} for n in range(6)]
    file = tmp_path / "teacher.jsonl"
    _write(file, rows)
    _write(tmp_path / "other.jsonl", [{"intent": f"Look {n}", **LIT.plain()} for n in range(3)])
    return file


def _write(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def recolor(*arguments: object) -> Result:
    return CliRunner().invoke(command_line.cli, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_split_marks_a_dataset_once(data: Path) -> None:
    first = recolor("split", data, "--test", 2)
    assert first.exit_code == 1
    assert "--again" in first.output
    done = recolor("split", data, "--test", 2, "--again")
    assert "4 rows for training, 2 for test" in done.output
    assert sum(row.split == "test" for row in read_dataset(data)) == 2


def test_evaluate_shows_intervals_the_worst_rows_and_a_chart(student: str, data: Path, tmp_path: Path) -> None:
    done = recolor(
        "evaluate", "--data", data, "--worst", 2, "--chart", tmp_path / "c.png", "--json", tmp_path / "e.json"
    )
    assert done.exit_code == 0, done.output
    assert "95% intervals" in done.output
    assert "precision / recall" in done.output
    found = json.loads((tmp_path / "e.json").read_text(encoding="utf-8"))
    assert set(found["intervals"]) == {"All", "r3", "r5"}
    assert len(found["worst"]) == 2
    assert found["worst"][0]["wanted"] == DIM.plain()
    low, value, high = (found["intervals"]["All"]["overall"][name] for name in ("low", "value", "high"))
    assert 0 <= low <= value <= high <= 1
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.width > 1000


def test_compare_student_and_recorded_answers_on_the_rows_of_both(student: str, data: Path, tmp_path: Path) -> None:
    done = recolor(
        "compare", student, data.with_name("other.jsonl"), "--data", data,
        "--json", tmp_path / "c.json", "--chart", tmp_path / "c.png",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    assert found["rows"] == 3
    assert 0 < found["differences"]["All"]["p"] <= 1
    assert not re.search(r"\bnan\b", done.output, re.IGNORECASE)


def test_the_teacher_compared_with_itself_recorded_is_the_same(data: Path, openai: OpenAIServer) -> None:
    done = recolor("compare", "teacher", data, "--data", data)
    assert done.exit_code == 0, done.output
    assert "no difference shown" in done.output
    assert {call.intent for call in openai.calls} == {f"look {n}" for n in range(6)}


def test_evaluate_scores_the_teacher(data: Path, openai: OpenAIServer, tmp_path: Path) -> None:
    done = recolor("evaluate", "--teacher", "--data", data, "--json", tmp_path / "t.json")
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))
    assert found["model"] == "gpt-3.5-turbo"
    assert found["validity"] == 1
    assert found["scores"]["All"]["tools"]["filter"]["final"] == 1


def test_a_teacher_that_is_not_there_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = recolor("evaluate", "--teacher", "--data", data)
    assert done.exit_code == 1
    assert "RECOLOR_TEACHER_API_KEY" in done.output
    monkeypatch.setenv("RECOLOR_TEACHER_API_KEY", "sk-x")
    monkeypatch.setenv("RECOLOR_TEACHER_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("RECOLOR_TEACHER_RETRIES", "0")
    silent = recolor("evaluate", "--teacher", "--data", data)
    assert silent.exit_code == 1
    assert "stopped answering after 0 intents" in silent.output


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    """A teacher that answers DIM to everything."""
    with OpenAIServer() as server:
        for tool in TOOLS:
            chosen = DIM.settings(tool)
            server.reply(tool, Say.settings(chosen.model_dump(exclude_defaults=True) if chosen else {}))
        monkeypatch.setenv("RECOLOR_TEACHER_API_KEY", server.key)
        monkeypatch.setenv("RECOLOR_TEACHER_BASE_URL", server.base_url)
        yield server

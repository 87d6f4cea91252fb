"""`recolor augment`: mistakes by frozen thresholds, similar requests replayed or asked for, leaks refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app import cli as command_line
from app.distill.augment.augmenting import augment, bare, clean
from app.distill.augment.mistakes import freeze, is_mistake
from app.distill.dataset import DatasetError, Example, read_dataset
from app.distill.evaluate import summarise
from app.grade import Grade
from app.prompts.augment import SHOTS, messages
from tests.students.tiny import Tiny
from tests.teacher.openai_server import Fail, OpenAIServer, Say

WANTED = Grade.parse({"adjust": {"exposure": -20}, "filter": {"name": "vivid", "intensity": 30}})
LEAST = {"adjust": 0.8, "selective_adjust": 0.8, "filter": 1.0}


def graded(adjust: dict[str, int] | None, name: str = "vivid") -> Grade:
    return Grade.parse({"adjust": adjust, "filter": {"name": name, "intensity": 60}})


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        (graded({"exposure": -40}), False),
        (graded({"exposure": -40, "contrast": 10}), False),
        (graded({"exposure": -20, "contrast": 20}), True),  # cosine 0.71
        (graded({"exposure": -20}, "winter"), True),
        (graded(None), True),
        (Grade.parse({**graded({"exposure": -20}).plain(), "selective_adjust": {"red": {"saturation": 5}}}), True),
    ],
)
def test_a_mistake_is_one_wrong_tool(given: Grade, mistake: bool) -> None:
    assert is_mistake(given, WANTED, LEAST) is mistake


def test_thresholds_are_the_means_before_augmentation_and_stay(tmp_path: Path) -> None:
    rows = [Example("a", WANTED), Example("b", WANTED)]
    file = tmp_path / "thresholds.json"
    first = freeze(summarise("s@1", "constrained", rows, [WANTED, graded({"contrast": 5})]), file)
    assert first == pytest.approx({"adjust": 0.5, "selective_adjust": 0.0, "filter": 1.0})
    assert freeze(summarise("s@2", "constrained", rows, [WANTED, WANTED]), file) == first
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(DatasetError, match="remove it"):
        freeze(summarise("s@2", "constrained", rows, [WANTED, WANTED]), file)


def row(intent: str, split: str = "train", **more: Any) -> dict[str, Any]:
    return {"intent": intent, "adjust": {"exposure": -20}, "filter": None, "split": split, **more}


def test_a_similar_intent_takes_the_teachers_answer_to_the_original() -> None:
    made = augment([row("Dusk")], ["Dusk"], {"dusk": ' "the last light"\n'})
    assert made.added == [
        {
            "intent": "the last light",
            "adjust": {"exposure": -20},
            "selective_adjust": None,
            "filter": None,
            "split": "train",
            "similar_to": "Dusk",
            "round": 1,
        }
    ]


def test_duplicates_test_intents_and_what_is_no_intent_are_refused_and_counted() -> None:
    rows = [row("xray", "test"), row("noon"), row("🌅", "test"), *(row(f"look {n}") for n in range(8))]
    similar = {
        "look 0": "X-Ray",  # a test intent but for its punctuation
        "look 1": "NOON ",
        "look 2": "look 2",
        "look 3": "fresh",
        "look 4": "Fresh",
        "look 5": "  ",
        "look 6": "one\ntwo",
        "look 7": "🌅",
    }
    made = augment(rows, [f"look {n}" for n in range(8)], similar)
    assert [added["intent"] for added in made.added] == ["fresh"]
    assert made.refused == {
        "a test intent": 2,
        "there already": 3,
        "no similar intent": 1,
        "no intent: several lines, or too long": 1,
    }


def test_rounds_are_counted() -> None:
    assert augment([row("dusk"), row("late", round=1)], [], {}).number == 2


def test_intents_are_bared_to_letters_and_digits() -> None:
    assert (bare("X-Ray!"), bare("#noir"), bare("…")) == ("xray", "noir", "...")
    assert clean(" “late light” ") == "late light"


def test_the_prompt_shows_three_examples_and_the_request_as_data() -> None:
    asked = messages('say "hi"\n')
    assert [message["role"] for message in asked] == ["system", *["user", "assistant"] * len(SHOTS), "user"]
    assert len(SHOTS) == 3
    assert json.loads(asked[-1]["content"]) == 'say "hi"\n'


@pytest.fixture
def data(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four training rows that no tiny student gets right, one of them of the eighth, and a test row."""
    monkeypatch.setenv("RECOLOR_MODEL_STORE", str(tiny.store))
    monkeypatch.setenv("RECOLOR_MODEL", tiny.model)
    monkeypatch.setenv("RECOLOR_THREADS", "1")
    rows = [row(f"look {n}", filter={"name": "negative", "intensity": 5}) for n in range(4)]
    rows[0]["subset"] = "eighth"
    file = tmp_path / "teacher.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in [*rows, row("xray", "test")]), encoding="utf-8")
    return file


def recolor(data: Path, *arguments: object) -> Result:
    command = ["augment", "--data", data, "-o", data.with_name("more.jsonl"), "--thresholds", data.with_name("t.json")]
    return CliRunner().invoke(command_line.cli, [str(part) for part in [*command, *arguments]])


def test_augment_replays_recorded_answers(data: Path) -> None:
    recorded = data.with_name("similar.jsonl")
    recorded.write_text('{"intent": "LOOK 0", "similar": "first look"}\n', encoding="utf-8")
    done = recolor(data, "--replay", recorded, "--subset", "eighth")
    assert done.exit_code == 0, done.output
    rows = read_dataset(data.with_name("more.jsonl"))
    assert [one.intent for one in rows[-2:]] == ["xray", "first look"]
    assert rows[-1].grade == rows[0].grade


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        monkeypatch.setenv("RECOLOR_TEACHER_API_KEY", running.key)
        monkeypatch.setenv("RECOLOR_TEACHER_BASE_URL", running.base_url)
        yield running


def test_augment_asks_a_server_and_asks_nothing_twice(data: Path, server: OpenAIServer) -> None:
    for number in range(4):
        server.reply(lambda call, n=number: call.intent == f'"look {n}"', Say(f"view {number}"))
    for _ in range(2):
        done = recolor(data, "--llm", "large")
        assert done.exit_code == 0, done.output
        added = [one.intent for one in read_dataset(data.with_name("more.jsonl"))[5:]]
        assert sorted(added) == [f"view {n}" for n in range(4)]
    assert len(server.calls) == 4
    assert {call.body["model"] for call in server.calls} == {"large"}


def test_of_an_answer_that_a_full_disk_cut_off_only_that_one_is_asked_for_again(
    data: Path, server: OpenAIServer
) -> None:
    server.reply(lambda call: True, Say("so it is"))
    record = data.with_name("more.similar.jsonl")
    assert recolor(data).exit_code == 0
    record.write_bytes(record.read_bytes()[:-5])
    done = recolor(data)
    assert done.exit_code == 0, done.output
    assert (len(server.calls), record.read_bytes().count(b"\n")) == (5, 4)


def test_a_server_that_is_busy_for_a_moment_is_asked_again(data: Path, server: OpenAIServer) -> None:
    server.reply(lambda call: True, Fail(429, retry_after="0.01"), Say("something else"))
    assert recolor(data, "--subset", "eighth").exit_code == 0
    assert read_dataset(data.with_name("more.jsonl"))[-1].intent == "something else"


def test_without_a_key_and_without_answers_it_says_what_to_do(data: Path) -> None:
    done = recolor(data)
    assert done.exit_code == 1
    assert "--replay" in done.output
    assert not data.with_name("more.jsonl").exists()

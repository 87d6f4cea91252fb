"""The report of how far a student agrees with itself when it is computed otherwise, and with another."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from app.distill.agreement import compare
from app.distill.dataset import Example, read_split
from app.grade import TOOLS, Grade
from app.grade.codecs import CODECS, Codec
from app.students import Answer, Prompt
from tests.cli.conftest import recolor
from tests.students.tiny import Tiny
from tests.students.trained import Trained


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """`recolor evaluate` on a student's test split; what it wrote as JSON."""

    def run(student: Trained, *arguments: str, **variables: str) -> dict[str, Any]:
        for name, value in variables.items():
            monkeypatch.setenv(f"RECOLOR_{name.upper()}", value)
        monkeypatch.setenv("RECOLOR_MODEL_STORE", str(student.store))
        file = tmp_path / "found.json"
        fixed = ("evaluate", "--model", student.model, "--data", student.data, "--json", file)
        result = recolor(*fixed, *arguments)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found | {"output": " ".join(result.output.split())}

    return run


def test_a_student_agrees_with_itself(trained_t5: Trained, evaluate: Callable[..., dict[str, Any]]) -> None:
    found = evaluate(trained_t5, "--dtype", "float32", "--against", "float32")
    assert found["same"] == dict.fromkeys(TOOLS, 1.0)
    assert (found["looks"], found["difference"]) == (1.0, 0.0)
    assert found["rows"] == len(read_split(trained_t5.data, "test"))


def test_what_fewer_bits_cost_is_reported(trained_t5: Trained, evaluate: Callable[..., dict[str, Any]]) -> None:
    found = evaluate(trained_t5, "--dtype", "bfloat16", "--against", "float32")
    assert all(0.5 < share <= 1 for share in found["same"].values())
    assert found["looks"] <= min(found["same"].values())
    assert abs(found["difference"]) < 0.2
    assert found["overall"] == evaluate(trained_t5, "--dtype", "bfloat16")["scores"]["All"]["overall"]
    assert found["reference"] == evaluate(trained_t5, "--dtype", "float32")["scores"]["All"]["overall"]
    assert "tiny-t5@1 (hf, bfloat16) against tiny-t5@1 (hf, float32)" in found["output"]


@pytest.mark.usefixtures("vllm")
def test_under_vllm_every_answer_is_that_of_hugging_face(
    trained_llama: Trained, evaluate: Callable[..., dict[str, Any]]
) -> None:
    variables = {"backend": "vllm", "vllm_cpu_cache_gib": "0.25"}
    found = evaluate(trained_llama, "--dtype", "float32", "--against", "float32", **variables)
    assert (found["looks"], found["difference"]) == (1.0, 0.0)
    assert found["overall"] > 0.6
    assert "tiny-llama@1 (vllm, float32) against tiny-llama@1 (hf, float32)" in found["output"]


class Scripted:
    """Answers every look the same."""

    model, decoding = "scripted@1", "free"

    def __init__(self, codec: Codec, **answers: str | None) -> None:
        self.codec, self._answers = codec, answers

    def generate(self, prompts: Sequence[Prompt]) -> list[Answer]:
        return [Answer(self._answers[prompt.tool]) for prompt in prompts]


def test_students_of_different_codecs_agree_by_their_settings() -> None:
    row = Example("dawn", Grade())
    letters = Scripted(CODECS["letters"], adjust="-", selective_adjust="-", filter="DH")
    as_json = Scripted(CODECS["json"], adjust="{}", selective_adjust="not JSON", filter='{"name":"action"}')
    found = compare(letters, as_json, [row])
    assert found.same == {"adjust": 1.0, "selective_adjust": 0.0, "filter": 0.0}
    assert found.looks == 0


def refused(result: Result, words: str, code: int) -> None:
    assert result.exit_code == code, result.output
    assert words in " ".join(result.stderr.replace("│", " ").split())


def test_what_cannot_be_compared_is_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOLOR_MODEL_STORE", str(tiny.store))
    run = ("evaluate", "--model", tiny.model, "--data", tiny.teacher)
    refused(recolor(*run, "--against", "float64"), "float64 is neither float32, bfloat16, float16 nor name@version", 2)
    refused(recolor(*run, "--against", "float32"), "tiny@1 always computes with float32", 1)
    refused(recolor(*run, "--against", "none@1"), "there is no student none@1", 1)
    refused(recolor(*run, "--split", "train2"), "has no rows of split 'train2'", 1)


def test_an_engine_that_does_not_start_is_told_in_a_line(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        async def start(self) -> None:
            raise RuntimeError("no fp8 here")

    monkeypatch.setenv("RECOLOR_MODEL_STORE", str(tiny.store))
    monkeypatch.setenv("RECOLOR_BACKEND", "vllm")
    monkeypatch.setattr("app.main.build_student", lambda settings: Broken())
    run = ("evaluate", "--model", tiny.model, "--data", tiny.teacher)
    refused(recolor(*run), "the student tiny@1 cannot be started: no fp8 here", 1)

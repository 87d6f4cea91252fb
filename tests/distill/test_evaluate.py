"""Evaluation: what fails counts as an unused tool, what is unread is counted, and all goes by the way that serves."""

import io
import json

import pytest
from rich.console import Console

from app.distill.dataset import Example, read_dataset
from app.distill.evaluate import BATCH, Evaluation, evaluate, grade_intents, table
from app.distill.scores import score
from app.grade import TOOLS, Grade
from app.grade.codecs import DecodeError
from app.students import Answer, Prompt, load_engine
from tests.serving.engines import TOKENS, ScriptedEngine, look
from tests.students.tiny import Tiny


def example(intent: str, popularity: int = 1, domain: str = "films") -> Example:
    """A row whose teacher answers as the scripted engine does."""
    return Example(intent, Grade.of({tool: look(intent, tool) for tool in TOOLS}), "test", popularity, domain)


ROWS = [example("dawn"), example("noon", 3, "places"), example("dusk", 4, "places"), example("night", 5)]


def unread(intent: str) -> dict[tuple[str, str], Answer]:
    return {(intent, tool): Answer(None) for tool in TOOLS}


def test_a_student_that_answers_as_the_teacher_is_perfect() -> None:
    found = evaluate(ScriptedEngine(), ROWS)
    assert (found.model, found.decoding) == ("scripted@1", "constrained")
    assert found.scores["All"].overall == pytest.approx(1)
    assert (found.validity, found.unread, found.tokens) == (1, 0, TOKENS * len(TOOLS))
    assert found.latency_ms > 0


def test_an_answer_that_fails_is_an_unused_tool() -> None:
    engine = ScriptedEngine(
        {
            ("dawn", "filter"): Answer("<vivid>", tokens=1),
            ("noon", "filter"): Answer("<sepia><40>", tokens=2),
            ("dusk", "adjust"): Answer("", truncated=True),
        }
    )
    found = evaluate(engine, ROWS)
    assert found.validity == pytest.approx(9 / 12)
    chosen = found.scores["All"].tools["filter"]
    assert (chosen.precision, chosen.recall, chosen.quality) == (1, 2 / 4, 1)
    assert found.scores["All"].tools["adjust"].recall == 3 / 4
    assert found.tokens == (12 * TOKENS - 3 * TOKENS + 1 + 2) / 4


def test_rows_are_scored_by_popularity_and_by_domain() -> None:
    found = evaluate(ScriptedEngine({("noon", "filter"): Answer("nonsense")}), ROWS)
    assert {name: scores.rows for name, scores in found.scores.items()} == {"All": 4, "r3": 3, "r5": 2}
    assert {name: scores.rows for name, scores in found.domains.items()} == {"films": 2, "places": 2}
    recalls = {name: scores.tools["filter"].recall for name, scores in (found.scores | found.domains).items()}
    assert recalls == pytest.approx({"All": 3 / 4, "r3": 2 / 3, "r5": 1, "films": 1, "places": 1 / 2})


def test_what_is_unread_is_counted_and_scored_as_nothing_used() -> None:
    found = evaluate(ScriptedEngine(unread("dawn") | unread("noon")), ROWS)
    assert found.unread == 2
    assert found.validity == 1
    assert found.tokens == TOKENS * len(TOOLS)
    assert found.scores["All"].tools["adjust"].recall == 2 / 4


def test_a_student_that_reads_nothing_has_no_valid_answers() -> None:
    found = evaluate(ScriptedEngine(unread("dawn")), ROWS[:1])
    assert (found.unread, found.validity, found.tokens, found.scores["All"].overall) == (1, 0, 0, 0)


def test_rows_are_asked_in_batches_and_progress_is_told() -> None:
    engine, done = ScriptedEngine(), []
    evaluate(engine, [example(f"look {number}") for number in range(2 * BATCH + 1)], done.append)
    assert done == [BATCH, 2 * BATCH, 2 * BATCH + 1]
    assert [len(batch) for batch in engine.batches[:3]] == [3 * BATCH, 3 * BATCH, 3]


def test_grades_come_in_the_order_of_the_intents() -> None:
    intents = [f"look {number}" for number in range(BATCH + 3)]
    grades = grade_intents(ScriptedEngine(unread("look 33")), intents)
    assert grades == [example(intent).grade if intent != "look 33" else None for intent in intents]


# Real students


def test_constrained_answers_are_always_valid(loud: Tiny) -> None:
    found = evaluate(load_engine(loud.settings()), read_dataset(loud.teacher))
    assert found.decoding == "constrained"
    assert found.validity == 1


def test_an_early_checkpoint_that_decodes_freely_is_scored_by_what_decodes(tiny: Tiny) -> None:
    engine, rows = load_engine(tiny.settings(decoding="free")), read_dataset(tiny.teacher)
    found = evaluate(engine, rows)
    grades, valid, readable = [], 0, 0
    for row in rows:
        settings = {}
        for tool in TOOLS:
            [answer] = engine.generate([Prompt(row.intent, tool)])
            readable += answer.text is not None
            try:
                settings[tool] = engine.codec.decode(tool, answer.text or "")
                valid += 1
            except DecodeError:
                pass
        grades.append(Grade.of(settings))
    assert 0 < valid < readable
    assert found.validity == pytest.approx(valid / readable)
    assert found.scores["All"] == score(grades, [row.grade for row in rows])


# What is shown and written


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(ScriptedEngine({("noon", "filter"): Answer("nonsense")} | unread("night")), ROWS)


def test_the_table_has_a_row_for_each_part(evaluation: Evaluation) -> None:
    screen = io.StringIO()
    Console(file=screen, width=160).print(table(evaluation))
    shown = {line.split("│")[1].strip(): line for line in screen.getvalue().splitlines() if "│" in line}
    for name, scores in (evaluation.scores | evaluation.domains).items():
        cells = [cell.strip() for cell in shown[name].split("│")[2:-1]]
        assert cells[0] == str(scores.rows)
        assert cells[-1] == f"{scores.overall:.3f}"
        assert cells[1] == f"{scores.tools['adjust'].selection:.2f}"
        assert len(cells) == 2 + 3 * len(TOOLS)
    assert "scripted@1, constrained decoding" in screen.getvalue()
    assert "valid 88.9%" in screen.getvalue()
    assert "unread 1" in screen.getvalue()


def test_the_result_can_be_written_as_json(evaluation: Evaluation) -> None:
    plain = json.loads(json.dumps(evaluation.plain()))
    assert plain["scores"]["r5"]["rows"] == 2
    assert plain["scores"]["All"]["tools"]["filter"]["recall"] == pytest.approx(2 / 4)
    assert plain["unread"] == 1

"""How good a student is, through the very code that serves it.

Rows All, r3, r5 (popularity at least 1, 3, 4, standing in for calls), columns per tool (selection, quality,
final) and overall; beside it validity, spurious parameters, tokens and latency.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.table import Table

from app.distill.dataset import Example
from app.distill.scores import Scores, score
from app.grade import TOOLS, Grade
from app.grade.codecs import DecodeError
from app.students import Answer, Engine, Prompt

SUBSETS = {"All": 1, "r3": 3, "r5": 4}
"""Least popularity of the rows. Popularity 3 and 4 stand in for at least 3 and 5 calls; what `recolor collect` writes
has exactly so many."""
BATCH = 32
LATENCY_ROWS = 50


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`validity` is the share of answers that decode; what fails counts as an unused tool in the scores.

    `unread` counts intents that the student says it cannot read; `latency_ms` is the median time of one intent,
    all tools, without a server. `grades` are the answers, row by row.
    """

    model: str
    decoding: str
    scores: dict[str, Scores]
    domains: dict[str, Scores]
    validity: float
    unread: int
    tokens: float
    latency_ms: float
    grades: Sequence[Grade] = ()

    def plain(self) -> dict[str, Any]:
        """JSON-ready: everything but the grades."""
        plain = asdict(replace(self, grades=()))
        del plain["grades"]
        return plain


def evaluate(engine: Engine, rows: Sequence[Example], report: Callable[[int], None] = lambda done: None) -> Evaluation:
    """Score a student on rows; `report` is told how many are done."""
    grades: list[Grade] = []
    valid = tokens = unread = 0
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        for answers in ask(engine, [row.intent for row in batch]):
            grade, decoded = read(engine, answers)
            grades.append(grade)
            valid += decoded
            tokens += sum(answer.tokens for answer in answers.values())
            unread += all(answer.text is None for answer in answers.values())
        report(len(grades))
    read_answers = (len(rows) - unread) * len(TOOLS)
    return summarise(
        engine.model,
        engine.decoding,
        rows,
        grades,
        validity=valid / read_answers if read_answers else 0.0,
        unread=unread,
        tokens=tokens / max(1, len(rows) - unread),
        latency_ms=_latency(engine, [row.intent for row in rows[:LATENCY_ROWS]]),
    )


def summarise(
    model: str,
    decoding: str,
    rows: Sequence[Example],
    grades: Sequence[Grade],
    validity: float = 1.0,
    unread: int = 0,
    tokens: float = 0.0,
    latency_ms: float = 0.0,
) -> Evaluation:
    """Score answers, whoever gave them, by subset and by domain."""
    domains = sorted({row.domain for row in rows})
    return Evaluation(
        model=model,
        decoding=decoding,
        scores={
            name: _subset(rows, grades, [row.popularity >= least for row in rows]) for name, least in SUBSETS.items()
        },
        domains={name: _subset(rows, grades, [row.domain == name for row in rows]) for name in domains},
        validity=validity,
        unread=unread,
        tokens=tokens,
        latency_ms=latency_ms,
        grades=grades,
    )


def ask(engine: Engine, intents: Sequence[str]) -> list[dict[str, Answer]]:
    """The answers of all tools to each intent, in one batch."""
    prompts = [Prompt(intent, tool) for intent in intents for tool in TOOLS]
    answers = iter(engine.generate(prompts))
    return [{tool: next(answers) for tool in TOOLS} for _ in intents]


def read(engine: Engine, answers: dict[str, Answer]) -> tuple[Grade, int]:
    """The grade that answers make, with an unused tool for each that fails, and how many decode."""
    settings = {}
    for tool, answer in answers.items():
        if answer.text is not None:
            try:
                settings[tool] = engine.codec.decode(tool, answer.text)
            except DecodeError:
                continue
    return Grade.of(settings), len(settings)


def grade_intents(engine: Engine, intents: Sequence[str]) -> list[Grade | None]:
    """A grade for each intent; None where the student cannot read it."""
    grades: list[Grade | None] = []
    for start in range(0, len(intents), BATCH):
        for answers in ask(engine, intents[start : start + BATCH]):
            unread = all(answer.text is None for answer in answers.values())
            grades.append(None if unread else read(engine, answers)[0])
    return grades


def table(evaluation: Evaluation) -> Table:
    """The design's table: one row a subset."""
    view = Table(title=f"{evaluation.model}, {evaluation.decoding} decoding", caption=_caption(evaluation))
    view.add_column("rows")
    view.add_column("n", justify="right")
    for tool in TOOLS:
        for part in ("sel.", "qual.", "final"):
            view.add_column(f"{tool.replace('_', ' ')}\n{part}", justify="right")
    view.add_column("overall", justify="right", style="bold")
    for name, scores in (evaluation.scores | evaluation.domains).items():
        if name == next(iter(evaluation.domains), None):
            view.add_section()
        values = [value for tool in scores.tools.values() for value in (tool.selection, tool.quality, tool.final)]
        view.add_row(name, str(scores.rows), *(f"{value:.2f}" for value in values), f"{scores.overall:.3f}")
    return view


def _caption(evaluation: Evaluation) -> str:
    return (
        f"valid {evaluation.validity:.1%} · spurious parameters {evaluation.scores['All'].spurious:.2f} · "
        f"tokens {evaluation.tokens:.1f} · unread {evaluation.unread} · median {evaluation.latency_ms:.1f} ms"
    )


def _subset(rows: Sequence[Example], grades: Sequence[Grade], belongs: Sequence[bool]) -> Scores:
    pairs = [(grade, row.grade) for row, grade, kept in zip(rows, grades, belongs, strict=True) if kept]
    return score([grade for grade, _ in pairs], [wanted for _, wanted in pairs])


def _latency(engine: Engine, intents: Sequence[str]) -> float:
    times = []
    for intent in intents:
        begun = time.perf_counter()
        ask(engine, [intent])
        times.append(time.perf_counter() - begun)
    return 1000 * statistics.median(times)

"""What one student answers to everything that it is judged by."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.distill.augment.mistakes import Thresholds, is_mistake
from app.distill.behaviours import check, read_behaviours
from app.distill.dataset import Example
from app.distill.distilling.plan import Show
from app.distill.distilling.stages import Result
from app.distill.evaluate import LATENCY_ROWS, ask, evaluate, grade_intents
from app.grade import Grade
from app.students import Engine

QUANTILES = (0.5, 0.9, 0.99)


def judge(engine: Engine, parts: Mapping[str, Sequence[Example]], behaviours: Path, show: Show) -> Result:
    """Scores and answers by part, and the behaviours. Raises DatasetError."""
    judged: Result = {"model": engine.model}
    for name, rows in parts.items():
        found = evaluate(engine, rows, show.bar(f"{engine.model}: {name} rows", len(rows)))
        judged[name] = found.plain() | {"grades": [brief(grade) for grade in found.grades]}
    report = check(read_behaviours(behaviours), lambda intents: grade_intents(engine, intents))
    judged["behaviours"] = {"passed": report.passed, "total": report.total, "kinds": report.kinds}
    return judged


def brief(grade: Grade) -> dict[str, Any]:
    """A grade as datasets have it: what is not neutral."""
    return grade.model_dump(exclude_defaults=True)


def answers(part: Result) -> list[Grade]:
    """What a student answered to the rows of a part."""
    return [Grade.parse(grade) for grade in part["grades"]]


def wrong(rows: Sequence[Example], part: Result, least: Thresholds) -> list[bool]:
    """Which of its answers are mistakes."""
    return [is_mistake(grade, row.grade, least) for row, grade in zip(rows, answers(part), strict=True)]


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of one intent, all tools, without a server; `quantiles` are those of QUANTILES."""

    median: float
    quantiles: list[float]


def side_by_side(
    engines: Sequence[Engine], intents: Sequence[str], report: Callable[[int], None], rounds: int = 3
) -> list[Latency]:
    """Asked in turn, so that whatever else the machine does slows all of them."""
    times: list[list[float]] = [[] for _ in engines]
    asked = list(intents[:LATENCY_ROWS]) * rounds
    for engine in engines:
        ask(engine, asked[:1])
    for done, intent in enumerate(asked, 1):
        for engine, own in zip(engines, times, strict=True):
            begun = time.perf_counter()
            ask(engine, [intent])
            own.append(1000 * (time.perf_counter() - begun))
        report(done)
    return [Latency(statistics.median(own), [float(value) for value in np.quantile(own, QUANTILES)]) for own in times]

"""Who is asked: a student, the configured teacher, or somebody whose answers are recorded in a dataset."""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.distill.dataset import DatasetError, Example, read_dataset
from app.distill.evaluate import Evaluation, evaluate, summarise
from app.grade import TOOLS, Grade, ToolSettings, fold
from app.settings import Settings
from app.students import load_engine
from app.teacher import Teacher, TeacherError

TEACHER = "teacher"
SECONDS = 120.0
"""What the teacher may take for one tool, retries included: nobody waits."""

Report = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Answers:
    """What somebody answered to rows, and how it scores; `rows` are those that they answered at all."""

    rows: Sequence[Example]
    evaluation: Evaluation

    @property
    def grades(self) -> Sequence[Grade]:
        return self.evaluation.grades


def answers(who: str, rows: Sequence[Example], settings: Settings, report: Report) -> Answers:
    """`who` is ``name@version`` of a student, ``teacher``, or the ``.jsonl`` file of a dataset.

    Raises DatasetError, ModelStoreError, EngineError.
    """
    if who.endswith(".jsonl"):
        return _recorded(Path(who), rows)
    if who == TEACHER:
        return Answers(rows, asyncio.run(ask_teacher(settings, rows, report)))
    return Answers(rows, evaluate(load_engine(settings.model_copy(update={"model": who})), rows, report))


def _recorded(file: Path, rows: Sequence[Example]) -> Answers:
    known = {fold(row.intent): row.grade for row in read_dataset(file)}
    answered = [row for row in rows if fold(row.intent) in known]
    if not answered:
        raise DatasetError(f"{file} answers none of the {len(rows)} intents")
    grades = [known[fold(row.intent)] for row in answered]
    return Answers(answered, summarise(file.name, "recorded", answered, grades))


async def ask_teacher(settings: Settings, rows: Sequence[Example], report: Report) -> Evaluation:
    """The configured teacher's answers, scored; a tool that it cannot answer is unused. Raises DatasetError."""
    try:
        teacher = Teacher(settings)
    except ValueError as error:
        raise DatasetError(str(error)) from None
    if not teacher.enabled:
        raise DatasetError("there is no teacher: set RECOLOR_TEACHER_API_KEY")
    grades: list[Grade] = []
    tokens = failed = 0
    times: list[float] = []
    at_once = max(1, settings.teacher_concurrency // len(TOOLS))
    try:
        for start in range(0, len(rows), at_once):
            batch = await asyncio.gather(*(_ask(teacher, row.intent) for row in rows[start : start + at_once]))
            for one in batch:
                grades.append(Grade.of(one.tools))
                tokens += one.tokens
                failed += len(TOOLS) - len(one.tools)
                times.append(one.seconds)
            if not any(one.tools for one in batch):
                raise DatasetError(f"the teacher stopped answering after {len(grades) - len(batch)} intents")
            report(len(grades))
    finally:
        await teacher.close()
    asked = len(rows) * len(TOOLS)
    return summarise(
        settings.teacher_model,
        TEACHER,
        rows,
        grades,
        validity=(asked - failed) / asked,
        tokens=tokens / len(rows),
        latency_ms=1000 * statistics.median(times),
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    tools: dict[str, ToolSettings | None]
    tokens: int
    seconds: float


async def _ask(teacher: Teacher, intent: str) -> _Answer:
    """All tools of one intent at once; those that fail are left out."""
    began = time.perf_counter()
    found = await asyncio.gather(*(teacher.answer(intent, tool, SECONDS) for tool in TOOLS), return_exceptions=True)
    tools: dict[str, ToolSettings | None] = {}
    tokens = 0
    for tool, answer in zip(TOOLS, found, strict=True):
        if isinstance(answer, TeacherError):
            continue
        if isinstance(answer, BaseException):
            raise answer
        tools[tool] = answer.settings
        tokens += answer.completion_tokens
    return _Answer(tools, tokens, time.perf_counter() - began)

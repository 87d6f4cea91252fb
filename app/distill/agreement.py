"""Whether a student answers the same when it is computed otherwise: in other numbers, by another engine, quantised."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from app.distill.dataset import Example
from app.distill.evaluate import BATCH, ask, read
from app.distill.scores import score
from app.grade import TOOLS, Grade
from app.students import Answer, Engine


@dataclass(frozen=True, slots=True)
class Agreement:
    """`same` is the share of identical answers, by tool; `looks` that of looks whose answers are all identical."""

    rows: int
    same: dict[str, float]
    looks: float
    overall: float
    reference: float
    """The overall score of what it is compared with."""

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {"difference": self.overall - self.reference}


def compare(
    engine: Engine, reference: Engine, rows: Sequence[Example], report: Callable[[int], None] = lambda done: None
) -> Agreement:
    """Ask both for the same looks; `report` is told how many are done. Raises EngineError."""
    same = dict.fromkeys(TOOLS, 0)
    looks = 0
    given: list[Grade] = []
    expected: list[Grade] = []
    for start in range(0, len(rows), BATCH):
        intents = [row.intent for row in rows[start : start + BATCH]]
        for ours, theirs in zip(ask(engine, intents), ask(reference, intents), strict=True):
            alike = {tool: _alike(engine, ours, reference, theirs, tool) for tool in TOOLS}
            for tool, agrees in alike.items():
                same[tool] += agrees
            looks += all(alike.values())
            given.append(read(engine, ours)[0])
            expected.append(read(reference, theirs)[0])
        report(len(given))
    wanted = [row.grade for row in rows]
    return Agreement(
        rows=len(rows),
        same={tool: count / len(rows) for tool, count in same.items()},
        looks=looks / len(rows),
        overall=score(given, wanted).overall,
        reference=score(expected, wanted).overall,
    )


def table(agreement: Agreement, title: str) -> Table:
    view = Table(title=title)
    view.add_column("looks", justify="right")
    for name in (*(f"same\n{tool.replace('_', ' ')}" for tool in TOOLS), "same\nall tools"):
        view.add_column(name, justify="right")
    for name in ("overall", "reference", "difference"):
        view.add_column(name, justify="right")
    shares = (f"{share:.1%}" for share in (*agreement.same.values(), agreement.looks))
    scores = (f"{agreement.overall:.3f}", f"{agreement.reference:.3f}")
    view.add_row(str(agreement.rows), *shares, *scores, f"{agreement.overall - agreement.reference:+.3f}")
    return view


def _alike(engine: Engine, ours: dict[str, Answer], reference: Engine, theirs: dict[str, Answer], tool: str) -> bool:
    """Identical texts, or between students of different codecs identical settings."""
    if engine.codec.name == reference.codec.name:
        return ours[tool].text == theirs[tool].text
    grades = (read(of, {tool: answers[tool]}) for of, answers in ((engine, ours), (reference, theirs)))
    (first, decoded), (second, also) = grades
    return decoded == also and first == second

"""What is told of answers beyond their scores: intervals, and the rows where they are worst."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from app.distill.comparison.components import Components
from app.distill.comparison.resampling import LEVEL, Difference, Intervals, difference, intervals
from app.distill.dataset import Example
from app.distill.evaluate import SUBSETS, Evaluation
from app.grade import TOOLS, Grade


@dataclass(frozen=True, slots=True)
class Row:
    """One intent, what was wanted and given, and how good the answer is: 1 is the same, 0 or less has nothing of it."""

    intent: str
    score: float
    wanted: Grade
    given: Grade

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "intent": self.intent,
            "score": self.score,
            "wanted": self.wanted.plain(),
            "given": self.given.plain(),
        }


def components(rows: Sequence[Example], grades: Sequence[Grade]) -> Components:
    return Components.of(grades, [row.grade for row in rows])


def by_subset(rows: Sequence[Example], found: Components) -> dict[str, Intervals]:
    """For every subset that has rows."""
    made = {name: intervals(found.only(belongs(rows, name))) for name in SUBSETS}
    return {name: one for name, one in made.items() if one is not None}


def differences(rows: Sequence[Example], first: Components, second: Components) -> dict[str, Difference]:
    """For every subset that has rows."""
    made = {
        name: difference(first.only(chosen), second.only(chosen))
        for name in SUBSETS
        for chosen in [belongs(rows, name)]
    }
    return {name: one for name, one in made.items() if one is not None}


def worst(rows: Sequence[Example], grades: Sequence[Grade], found: Components, count: int) -> list[Row]:
    """The rows with the worst answers first; of equal ones the more popular."""
    scores = found.row_scores()
    order = sorted(range(len(rows)), key=lambda i: (scores[i], -rows[i].popularity, rows[i].intent))
    return [Row(rows[i].intent, float(scores[i]), rows[i].grade, grades[i]) for i in order[:count]]


def selection_table(evaluation: Evaluation) -> Table:
    """How often a tool that was used should have been, and how often one that should have been was."""
    view = _table("Tool selection: precision / recall")
    for name, scores in evaluation.scores.items():
        view.add_row(name, *(f"{tool.precision:.2f} / {tool.recall:.2f}" for tool in scores.tools.values()))
    return view


def interval_table(found: dict[str, Intervals]) -> Table:
    view = _table(f"Final scores with {LEVEL:.0%} intervals (bootstrap over the rows)", "overall")
    for name, one in found.items():
        view.add_row(name, *(str(tool["final"]) for tool in one.tools.values()), str(one.overall))
    return view


def _table(title: str, *more: str) -> Table:
    view = Table(title=title, title_justify="left")
    view.add_column("rows")
    for column in (*TOOLS, *more):
        view.add_column(column.replace("_", " "), justify="right")
    return view


def plain_intervals(found: dict[str, Intervals]) -> dict[str, Any]:
    return {name: asdict(one) for name, one in found.items()}


def brief(grade: Grade) -> str:
    """A grade on one line: what is not neutral."""
    parts = []
    for tool in TOOLS:
        settings = grade.settings(tool)
        if settings is not None:
            pairs = zip(settings.slots(), settings.flat(), strict=True)
            parts.append(" ".join(f"{slot.name} {value}" for slot, value in pairs if value))
    return " · ".join(parts) or "nothing used"


def plain_differences(found: dict[str, Difference]) -> dict[str, Any]:
    return {name: asdict(one) | {"verdict": one.verdict} for name, one in found.items()}


def belongs(rows: Sequence[Example], subset: str) -> list[bool]:
    return [row.popularity >= SUBSETS[subset] for row in rows]

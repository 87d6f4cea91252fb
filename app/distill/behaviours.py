"""What a student must do with what people type: "less warm" is not "warmer", "crop the video" is no look.

A behaviours file has one check a line: `intents`, graded together, and what to `expect` of their grades, stated as
relations so that every good student can meet them::

    {"kind": "opposite", "id": "warm", "intents": ["warmer tones", "less warm tones"],
     "expect": [{"of": 0, "path": "adjust.temperature", "op": ">", "value": 0},
                {"of": 1, "path": "adjust.temperature", "op": "<", "value": 0}]}
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from rich.markup import escape
from rich.table import Table

from app.distill.dataset import DatasetError, read_jsonl
from app.distill.expectations import NEUTRAL, Expectation, readings
from app.grade import Grade

Kind = Literal[
    "opposite",
    "degree",
    "number",
    "colour_range",
    "preset",
    "no_op",
    "typo",
    "emoji",
    "sentence",
    "language",
    "unreadable",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

Intent = Annotated[str, Field(min_length=1, max_length=200)]
Answer = Callable[[Sequence[str]], Sequence[Grade | None]]
"""Intents to their grades, in order; None where the student cannot read one."""


class Behaviour(BaseModel):
    """One check: passed if every expectation is met."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    id: str = Field(min_length=1)
    intents: tuple[Intent, ...] = Field(min_length=1)
    expect: tuple[Expectation, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _known_intents(self) -> Self:
        named = {index for expectation in self.expect for index in expectation.indices()}
        if missing := sorted(named - set(range(len(self.intents)))):
            raise ValueError(f"there is no intent {missing[0]}, they are numbered from 0")
        return self


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that was not met, and what came instead, intent by intent."""

    behaviour: Behaviour
    expected: str
    came: dict[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """`kinds` has passed and total checks of each kind that occurs."""

    kinds: dict[Kind, tuple[int, int]]
    failures: list[Failure]

    @property
    def passed(self) -> int:
        return sum(passed for passed, _ in self.kinds.values())

    @property
    def total(self) -> int:
        return sum(total for _, total in self.kinds.values())

    @property
    def rate(self) -> float:
        """The share of the checks that passed, 0..1."""
        return self.passed / self.total if self.total else 0.0


def read_behaviours(path: Path) -> list[Behaviour]:
    """All checks of a ``.jsonl`` file. Raises DatasetError with file, line and what is wrong."""
    behaviours: dict[str, Behaviour] = {}
    for row, where in read_jsonl(path):
        try:
            behaviour = Behaviour.model_validate(row)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            at = ".".join(str(part) for part in first["loc"])
            raise DatasetError(f"{where}: {at + ': ' if at else ''}{first['msg']}") from None
        if behaviour.id in behaviours:
            raise DatasetError(f"{where}: the id {behaviour.id!r} is taken")
        behaviours[behaviour.id] = behaviour
    return list(behaviours.values())


def check(behaviours: Sequence[Behaviour], answer: Answer) -> Report:
    """Ask for all intents in one call and see what holds."""
    intents = list(dict.fromkeys(intent for behaviour in behaviours for intent in behaviour.intents))
    grades = dict(zip(intents, answer(intents), strict=True))
    failures = [failure for behaviour in behaviours for failure in _failures(behaviour, grades)]
    failed = {failure.behaviour.id for failure in failures}
    kinds: dict[Kind, tuple[int, int]] = {}
    for kind in KINDS:
        ids = [behaviour.id for behaviour in behaviours if behaviour.kind == kind]
        if ids:
            kinds[kind] = (sum(id_ not in failed for id_ in ids), len(ids))
    return Report(kinds, failures)


def _failures(behaviour: Behaviour, grades: dict[str, Grade | None]) -> list[Failure]:
    own = [grades[intent] for intent in behaviour.intents]
    return [
        Failure(behaviour, str(expectation), {behaviour.intents[i]: described(own[i]) for i in missed})
        for expectation in behaviour.expect
        if (missed := expectation.missed(own))
    ]


def described(grade: Grade | None) -> str:
    """What a grade sets, on one line: ``adjust.contrast 10, filter.name vivid, filter.intensity 40``."""
    if grade is None:
        return "low confidence"
    values = readings(grade)
    return ", ".join(f"{path} {value}" for path, value in values.items() if value != NEUTRAL[path]) or "nothing set"


def table(report: Report) -> Table:
    """Checks passed, kind by kind."""
    view = Table("kind", title="Behaviours", show_footer=True)
    view.columns[0].footer = "all"
    for header, footer in (("passed", str(report.passed)), ("of", str(report.total)), ("%", f"{report.rate:.0%}")):
        view.add_column(header, footer=footer, justify="right")
    for kind, (passed, total) in report.kinds.items():
        view.add_row(kind.replace("_", " "), str(passed), str(total), f"{passed / total:.0%}")
    return view


def failure_table(report: Report) -> Table:
    """What was expected and what came, failure by failure."""
    view = Table("check", "intent", "expected", "came", title="Not met", show_lines=True)
    for failure in report.failures:
        came = list(failure.came.items())
        view.add_row(
            failure.behaviour.id,
            escape("\n".join(intent for intent, _ in came)),
            failure.expected,
            "\n".join(grade for _, grade in came),
        )
    return view

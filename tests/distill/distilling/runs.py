"""Runs of `distil` on the tiny student's data, in seconds, and what they have in common."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.cli.reality import PHOTOS
from app.distill.distilling import report
from app.distill.distilling.distillation import distil
from app.distill.distilling.outcome import Outcome
from app.distill.distilling.plan import Limits, Material, Plan, Show
from app.distill.journey import travel
from tests.students.tiny import Tiny, write_lines, write_teacher

TRAIN, VALIDATION, TEST, SAMPLE = 60, 10, 24, 30

ANYTHING = Limits(margin=2, lost=1, lost_of_kind=1, slower=1000)
"""Every student is a go by them."""


class KilledError(Exception):
    """Ends a run where a signal would."""


@dataclass
class Told:
    """What a run says; it is killed when it says the line `die_at`."""

    die_at: str = ""
    lines: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.lines.append(line)
        if line == self.die_at:
            raise KilledError

    def bar(self, what: str, total: int) -> Callable[[int], None]:
        return lambda done: None


@dataclass
class Trainer:
    """Trains as `recolor train` does, the plan of the tiny student, and counts how often."""

    tiny: Tiny
    count: int = 0
    licence: str = "Apache-2.0"

    def __call__(self, rows: Material, folder: Path, store: Path, show: Show) -> Path:
        self.count += 1
        journey = self.tiny.journey(
            teacher=rows.dataset,
            additions=rows.additions,
            folder=folder,
            store=store,
            version=2,
            command="recolor distill",
            validation=VALIDATION,
            licence=self.licence,
        )
        return travel(journey, lambda progress: None, lambda line: None)


def teacher(file: Path, train: int = TRAIN) -> Path:
    """A dataset that is trained on in seconds."""
    return write_teacher(file, train + VALIDATION, TEST)


def replay(data: Path) -> Path:
    """A recorded similar request for every row; those of test and validation rows may not be taken."""
    file = data.with_name("similar.jsonl")
    rows = (json.loads(line) for line in data.read_text(encoding="utf-8").splitlines())
    pairs = [{"intent": row["intent"], "similar": f"{row['intent']} once more"} for row in rows]
    return write_lines(file, [json.dumps(pair) for pair in pairs])


def plan_of(tiny: Tiny, folder: Path, **changes: Any) -> Plan:
    data = teacher(folder / "teacher.jsonl")
    return Plan(
        **{
            "source": str(data),
            "name": "tiny",
            "version": 2,
            "against": tiny.model,
            "folder": folder / "run",
            "store": folder / "released",
            "behaviours": tiny.behaviours,
            "photos": PHOTOS,
            "recipe": {"student": "tiny"},
            "seed": 2,
            "validation": VALIDATION,
            "sample": SAMPLE,
            "replay": (replay(data),),
            "limits": ANYTHING,
        }
        | changes
    )


def run(tiny: Tiny, plan: Plan, train: Trainer | None = None, told: Told | None = None, again: str = "") -> Outcome:
    return distil(plan, tiny.settings(), train or Trainer(tiny), told or Told(), again)


def told_of(outcome: Outcome) -> dict[str, Any]:
    """The report without what differs between two runs of the same: times, and where they lie."""
    found = json.loads(json.dumps(report.build(outcome)))
    for name in ("source", "compared", "seconds", "latency"):
        del found[name]
    found["criteria"] = [criterion for criterion in found["criteria"] if criterion["name"] != "latency, ms"]
    return found

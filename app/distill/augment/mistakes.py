"""Which intents a student gets wrong (design section 5.5).

A tool is wrong where only one of student and teacher uses it, where a named preset is another, or where the cosine is
below the tool's threshold. Thresholds are the student's mean quality before any augmentation; they stay the same over
all rounds, lest a better student is held to a higher standard and finds as many mistakes as before.
"""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.distill.dataset import DatasetError, Example
from app.distill.evaluate import Evaluation
from app.distill.scores import Scores, closeness
from app.distill.whole import write_whole
from app.grade import TOOLS, Grade

Thresholds = Mapping[str, float]
"""Least closeness by tool."""


def sample(rows: Sequence[Example], count: int, seed: int) -> list[Example]:
    """So many rows at random; all of them where there are no more, or `count` is 0."""
    if not count or count >= len(rows):
        return list(rows)
    return random.Random(seed).sample(list(rows), count)


def is_mistake(given: Grade, wanted: Grade, thresholds: Thresholds) -> bool:
    return any(_is_wrong(tool, given, wanted, thresholds[tool]) for tool in TOOLS)


def least(scores: Scores) -> Thresholds:
    """The mean quality of each tool; of a preset, that it is the same."""
    return {tool: 1.0 if _is_named(tool) else scores.tools[tool].quality for tool in TOOLS}


def freeze(found: Evaluation, file: Path) -> Thresholds:
    """Thresholds from a file, or, where there is none yet, from these scores into the file. Raises DatasetError."""
    if file.is_file():
        return _read(file)
    thresholds = least(found.scores["All"])
    frozen = {"model": found.model, "rows": found.scores["All"].rows, "least": thresholds}
    write_whole(file, json.dumps(frozen, indent=2) + "\n")
    return thresholds


def _read(file: Path) -> Thresholds:
    try:
        frozen = json.loads(file.read_text(encoding="utf-8"))["least"]
        return {tool: float(frozen[tool]) for tool in TOOLS}
    except (OSError, ValueError, KeyError, TypeError):
        raise DatasetError(f"{file} has no thresholds of every tool; remove it to have them computed anew") from None


def _is_wrong(tool: str, given: Grade, wanted: Grade, enough: float) -> bool:
    a, b = given.settings(tool), wanted.settings(tool)
    if a is None or b is None:
        return a is not b
    return closeness(tool, a, b) < enough


def _is_named(tool: str) -> bool:
    return any(slot.options for slot in TOOLS[tool].slots())

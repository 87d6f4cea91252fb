"""How close a student's grades come to the teacher's (design section 5.4).

Per tool: *selection* is the F1 of "tool used" against the teacher; *quality*, over the rows where both used
it, is the mean cosine of the parameter vectors (each number divided by its range's largest absolute value),
or for a tool that names a preset the share of equal names; *final* is the harmonic mean of the two.
*Overall* is the mean of the finals.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.grade import TOOLS, Grade, ToolSettings


@dataclass(frozen=True, slots=True)
class ToolScore:
    precision: float
    recall: float
    selection: float
    quality: float
    final: float


@dataclass(frozen=True, slots=True)
class Scores:
    """`spurious` is the mean number of parameters an answer sets that the teacher leaves at zero."""

    rows: int
    tools: dict[str, ToolScore]
    overall: float
    spurious: float


def closeness(tool: str, given: ToolSettings, wanted: ToolSettings) -> float:
    """Quality of one answer where both use the tool, 0..1 (a cosine may be negative)."""
    if any(slot.options for slot in TOOLS[tool].slots()):
        return float(names(given) == names(wanted))
    a, b = vector(given), vector(wanted)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def names(settings: ToolSettings) -> tuple[object, ...]:
    """The named values of a tool, e.g. its preset."""
    pairs = zip(settings.slots(), settings.flat(), strict=True)
    return tuple(value for slot, value in pairs if slot.options)


def vector(settings: ToolSettings) -> NDArray[np.float64]:
    """The numbers of a used tool, each divided by the largest absolute value of its range."""
    pairs = zip(settings.slots(), settings.flat(), strict=True)
    return np.array([float(value) / slot.scale for slot, value in pairs if not slot.options], dtype=np.float64)


def score(given: Sequence[Grade], wanted: Sequence[Grade]) -> Scores:
    """Score answers against the teacher's, row by row. An answer that failed counts as an unused tool."""
    tools = {tool: _tool_score(tool, given, wanted) for tool in TOOLS}
    overall = float(np.mean([tool.final for tool in tools.values()]))
    spurious = [spurious_parameters(a, b) for a, b in zip(given, wanted, strict=True)]
    return Scores(len(given), tools, overall, float(np.mean(spurious)) if spurious else 0.0)


def spurious_parameters(given: Grade, wanted: Grade) -> int:
    """Numbers that `given` sets and `wanted` leaves at zero, over all tools."""
    count = 0
    for tool, model in TOOLS.items():
        a, b = given.settings(tool), wanted.settings(tool)
        if a is not None:
            neutral = b or model()
            pairs = zip(model.slots(), a.flat(), neutral.flat(), strict=True)
            count += sum(not slot.options and value != 0 and other == 0 for slot, value, other in pairs)
    return count


def _tool_score(tool: str, given: Sequence[Grade], wanted: Sequence[Grade]) -> ToolScore:
    pairs = [(a.settings(tool), b.settings(tool)) for a, b in zip(given, wanted, strict=True)]
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    used_given = sum(a is not None for a, _ in pairs)
    used_wanted = sum(b is not None for _, b in pairs)
    precision = len(both) / used_given if used_given else 0.0
    recall = len(both) / used_wanted if used_wanted else 0.0
    selection = harmonic(precision, recall)
    quality = float(np.mean([closeness(tool, a, b) for a, b in both])) if both else 0.0
    return ToolScore(precision, recall, selection, quality, harmonic(selection, quality))


def harmonic(a: float, b: float) -> float:
    """The harmonic mean; 0 where either is not positive."""
    return 2 * a * b / (a + b) if a > 0 and b > 0 else 0.0

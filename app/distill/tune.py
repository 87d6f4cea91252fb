"""Choose the decoding thresholds of a trained student on its validation part.

Tools are scored apart from each other, so each has its own best. Among thresholds that score alike, the one that
sets fewer parameters wins: a setting that nobody asked for is worse than one that is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from app.distill.scores import Scores
from app.grade import TOOLS
from app.students.manifest import SlotThresholds

USED = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
NONZERO = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
SHRINK = (0.0, 0.5)
ALIKE = 0.005


@dataclass(frozen=True, slots=True)
class _Trial:
    used: float
    nonzero: float
    final: float


def tune(score: Callable[[SlotThresholds], Scores]) -> SlotThresholds:
    """The thresholds with the best scores; `score` evaluates some on the validation part."""
    return max((_best(score, shrink) for shrink in SHRINK), key=lambda found: found[1])[0]


def _best(score: Callable[[SlotThresholds], Scores], shrink: float) -> tuple[SlotThresholds, float]:
    trials: dict[str, list[_Trial]] = {tool: [] for tool in TOOLS}
    for used, nonzero in product(USED, NONZERO):
        scores = score(
            SlotThresholds(used=dict.fromkeys(TOOLS, used), nonzero=dict.fromkeys(TOOLS, nonzero), shrink=shrink)
        )
        for tool, found in scores.tools.items():
            trials[tool].append(_Trial(used, nonzero, found.final))
    chosen = {tool: _sparsest(found) for tool, found in trials.items()}
    thresholds = SlotThresholds(
        used={tool: trial.used for tool, trial in chosen.items()},
        nonzero={tool: trial.nonzero for tool, trial in chosen.items()},
        shrink=shrink,
    )
    return thresholds, sum(trial.final for trial in chosen.values())


def _sparsest(trials: list[_Trial]) -> _Trial:
    best = max(trial.final for trial in trials)
    alike = (trial for trial in trials if trial.final >= best - ALIKE)
    return max(alike, key=lambda trial: (trial.nonzero, trial.final, trial.used))

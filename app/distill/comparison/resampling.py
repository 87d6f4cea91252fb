"""Intervals by bootstrap, and a paired test by permutation, over the rows of a test set.

Percentile bootstrap: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13; permutation of paired
answers: chapter 15.
"""

from dataclasses import dataclass

import numpy as np

from app.distill.comparison.components import MEASURES, Array, Components, overall
from app.grade import TOOLS

RESAMPLES = 2000
LEVEL = 0.95
AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a number lies with LEVEL confidence."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Intervals:
    """`tools`: by tool and measure."""

    tools: dict[str, dict[str, Interval]]
    overall: Interval


@dataclass(frozen=True, slots=True)
class Difference:
    """Overall of the second minus overall of the first; `p`: how likely one at least as large is by chance alone."""

    overall: Interval
    p: float

    @property
    def verdict(self) -> str:
        if self.p >= 1 - LEVEL:
            return "no difference shown"
        return "the second is better" if self.overall.value > 0 else "the first is better"


def intervals(components: Components, seed: int = 1) -> Intervals | None:
    """None of no rows."""
    n = len(components.rows)
    if not n:
        return None
    found = components.scores(np.ones((1, n)))
    drawn = np.concatenate([components.scores(weights) for weights in _weights(n, seed)])
    tools = {
        tool: {
            measure: _interval(found[0, row, column], drawn[:, row, column]) for column, measure in enumerate(MEASURES)
        }
        for row, tool in enumerate(TOOLS)
    }
    return Intervals(tools, _interval(overall(found)[0], overall(drawn)))


def difference(first: Components, second: Components, seed: int = 1) -> Difference | None:
    """Of two answerers on the same rows; None of no rows."""
    n = len(first.rows)
    if not n:
        return None
    found = _gain(first, second, np.ones((1, n)))[0]
    drawn = np.concatenate([_gain(first, second, weights) for weights in _weights(n, seed)])
    return Difference(_interval(found, drawn), _permutation_p(first, second, abs(found), seed))


def _gain(first: Components, second: Components, weights: Array) -> Array:
    return overall(second.scores(weights)) - overall(first.scores(weights))


def _permutation_p(first: Components, second: Components, found: float, seed: int) -> float:
    """Two-sided: as if it were chance, row by row, which of the two gave which answer."""
    generator = np.random.default_rng(seed)
    n = len(first.rows)
    both = Components(np.concatenate([first.rows, second.rows]))
    extreme = 0
    for start in range(0, RESAMPLES, AT_ONCE):
        swapped = generator.integers(2, size=(min(AT_ONCE, RESAMPLES - start), n)).astype(np.float64)
        one, other = np.hstack([1 - swapped, swapped]), np.hstack([swapped, 1 - swapped])
        gains = overall(both.scores(other)) - overall(both.scores(one))
        extreme += int((np.abs(gains) >= found - 1e-12).sum())
    return (extreme + 1) / (RESAMPLES + 1)


def _weights(n: int, seed: int) -> list[Array]:
    """How often each row is drawn, RESAMPLES times n draws with replacement, some at a time."""
    generator = np.random.default_rng(seed)
    sizes = [min(AT_ONCE, RESAMPLES - start) for start in range(0, RESAMPLES, AT_ONCE)]
    return [generator.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64) for size in sizes]


def _interval(found: float, drawn: Array) -> Interval:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(found), float(low), float(high))

"""What a row adds to the scores, so that a thousand resamples of the rows are one matrix product."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.distill.scores import closeness
from app.grade import TOOLS, Grade

Array = NDArray[np.float64]

MEASURES = ("selection", "quality", "final")


@dataclass(frozen=True, slots=True)
class Components:
    """`rows`: n rows x 3 tools x (used in the answer, used by the teacher, used by both, closeness where both do)."""

    rows: Array

    @classmethod
    def of(cls, given: Sequence[Grade], wanted: Sequence[Grade]) -> "Components":
        rows = [[_cell(tool, a, b) for tool in TOOLS] for a, b in zip(given, wanted, strict=True)]
        return cls(np.array(rows, dtype=np.float64).reshape(len(rows), len(TOOLS), 4))

    def scores(self, weights: Array) -> Array:
        """b x 3 tools x MEASURES, for b weightings of the n rows (b x n), as `app.distill.scores` defines them."""
        n, tools, parts = self.rows.shape
        sums = (weights @ self.rows.reshape(n, tools * parts)).reshape(-1, tools, parts)
        given, wanted, both, close = np.moveaxis(sums, 2, 0)
        selection = _harmonic(_ratio(both, given), _ratio(both, wanted))
        quality = _ratio(close, both)
        return np.stack([selection, quality, _harmonic(selection, quality)], axis=2)

    def row_scores(self) -> Array:
        """n, how good each whole answer is: closeness where both use a tool, 1 where neither does, else 0."""
        given, wanted, both, close = np.moveaxis(self.rows, 2, 0)
        neither = (given == 0) & (wanted == 0)
        means: Array = np.where(neither, 1.0, np.where(both > 0, close, 0.0)).mean(axis=1)
        return means

    def only(self, chosen: Sequence[bool]) -> "Components":
        return Components(self.rows[np.array(chosen, dtype=bool)])


def overall(scores: Array) -> Array:
    """b, the mean of the finals."""
    means: Array = scores[:, :, MEASURES.index("final")].mean(axis=1)
    return means


def _cell(tool: str, a: Grade, b: Grade) -> tuple[float, float, float, float]:
    given, wanted = a.settings(tool), b.settings(tool)
    both = given is not None and wanted is not None
    close = closeness(tool, given, wanted) if given is not None and wanted is not None else 0.0
    return float(given is not None), float(wanted is not None), float(both), close


def _ratio(a: Array, b: Array) -> Array:
    """0 where there is nothing to divide by."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


def _harmonic(a: Array, b: Array) -> Array:
    return np.where((a > 0) & (b > 0), _ratio(2 * a * b, a + b), 0.0)

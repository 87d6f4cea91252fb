"""The training report's picture: loss and validation score, epoch by epoch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def draw_curves(epochs: Sequence[dict[str, Any]], title: str, file: Path) -> None:
    """Write a PNG of the entries ``epoch``, ``loss``, ``overall``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    left = figure.subplots()
    right = left.twinx()
    numbers = [entry["epoch"] for entry in epochs]
    (loss,) = left.plot(numbers, [entry["loss"] for entry in epochs], "o-", color="#8a5a00", label="training loss")
    (overall,) = right.plot(
        numbers, [entry["overall"] for entry in epochs], "s-", color="#0b6e8f", label="overall score, validation"
    )
    left.set(title=title, xlabel="epoch", ylabel="training loss", xticks=numbers)
    left.set_ylim(bottom=0)
    right.set(ylabel="overall score", ylim=(0, 1))
    left.legend(handles=[loss, overall], loc="center right")
    left.grid(alpha=0.25)
    figure.savefig(file)

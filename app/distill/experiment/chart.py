"""The ratios with both their intervals, as a picture."""

from collections.abc import Sequence
from pathlib import Path

from app.distill.experiment.analysis import LEVEL, Comparison


def draw_ratios(comparisons: Sequence[Comparison], control: str, file: Path) -> None:
    """Write a PNG: thick the interval of one look, thin the one for daily looks."""
    from matplotlib.figure import Figure

    known = [(one.variant, one.estimate) for one in comparisons if one.estimate is not None]
    height = 1.6 + 0.6 * max(1, len(known))
    figure = Figure(figsize=(7, height), dpi=120, layout="constrained")
    axes = figure.subplots()
    for row, (_, one) in enumerate(known):
        axes.hlines(row, one.always_low, one.always_high, color="#0b6e8f", linewidth=1.5)
        axes.hlines(row, one.low, one.high, color="#0b6e8f", linewidth=6, alpha=0.6)
        axes.plot(one.ratio, row, "o", color="#12303b")
        axes.annotate(f"{one.ratio:.3f}", (one.ratio, row), (0, 9), textcoords="offset points", ha="center", fontsize=9)
    axes.axvline(1, color="#8a5a00", linestyle="--", linewidth=1)
    axes.set(
        title=f"Completion rate against {control}",
        xlabel=f"ratio; thick: {LEVEL:.0%} interval of one look, thin: of any number of looks",
        yticks=range(len(known)),
        yticklabels=[variant for variant, _ in known],
        ylim=(-0.7, len(known) - 0.3),
    )
    axes.grid(axis="x", alpha=0.25)
    figure.savefig(file)

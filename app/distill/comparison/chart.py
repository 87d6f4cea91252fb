"""Scores with their intervals, as a picture."""

from collections.abc import Mapping
from pathlib import Path

from app.distill.comparison.resampling import LEVEL, Interval, Intervals
from app.grade import TOOLS

COLOURS = ("#0b6e8f", "#c8772b", "#6b6b6b")


def draw_scores(found: Mapping[str, Mapping[str, Intervals]], file: Path) -> None:
    """Write a PNG: a panel a subset of the rows, a bar a tool's final and one for the overall, a colour an answerer.

    `found`: by answerer and subset.
    """
    from matplotlib.figure import Figure

    subsets = list(dict.fromkeys(subset for one in found.values() for subset in one))
    figure = Figure(figsize=(4.2 * max(1, len(subsets)), 4), dpi=120, layout="constrained")
    panels = figure.subplots(1, max(1, len(subsets)), sharey=True, squeeze=False)[0]
    labels = [*(tool.replace("_", "\n") for tool in TOOLS), "overall"]
    width = 0.8 / max(1, len(found))
    for panel, subset in zip(panels, subsets, strict=False):
        for place, (name, one) in enumerate(found.items()):
            if subset not in one:
                continue
            bars = _bars(one[subset])
            values = [bar.value for bar in bars]
            spread = [[bar.value - bar.low for bar in bars], [bar.high - bar.value for bar in bars]]
            at = [index + (place - (len(found) - 1) / 2) * width for index in range(len(bars))]
            panel.bar(at, values, width * 0.92, color=COLOURS[place % len(COLOURS)], label=name)
            panel.errorbar(at, values, yerr=spread, fmt="none", ecolor="#222222", elinewidth=1, capsize=3)
            for x, bar in zip(at, bars, strict=True):
                panel.annotate(f"{bar.value:.2f}", (x, 0.02), ha="center", color="white", fontsize=8)
        panel.set(title=f"rows: {subset}", ylim=(0, 1), xticks=range(len(labels)), xticklabels=labels)
        panel.grid(axis="y", alpha=0.25)
        panel.set_axisbelow(True)
    panels[0].set_ylabel(f"final score, {LEVEL:.0%} interval")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(found), frameon=False)
    figure.savefig(file)


def _bars(intervals: Intervals) -> list[Interval]:
    return [*(intervals.tools[tool]["final"] for tool in TOOLS), intervals.overall]

"""The report's figures, as SVG that takes its colours from the page: they follow its light and dark.

Matplotlib draws with colours that stand for roles; they are then replaced by the page's own.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from app.distill.collect.rule import Rule, losses
from app.distill.comparison.resampling import LEVEL
from app.distill.distilling.stages import Result
from app.grade import TOOLS

INK, LINE, PAPER = "#010101", "#020202", "#030303"
CURRENT, BEFORE, AFTER, WORSE = "#040404", "#050505", "#060606", "#070707"
ROLES = {
    INK: "currentColor",
    LINE: "var(--line)",
    PAPER: "var(--paper)",
    CURRENT: "var(--current)",
    BEFORE: "var(--before)",
    AFTER: "var(--after)",
    WORSE: "var(--worse)",
}
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "recolor",
    "font.family": "sans-serif",
    "font.sans-serif": ["system-ui", "DejaVu Sans"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 9,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
}
"""Text stays text, in the page's own font."""
WIDTH = 4.6
LINES = ("o--", "o:", "o-.")


@dataclass(frozen=True, slots=True)
class Drawing:
    """`alt` says in words what it shows."""

    svg: str
    alt: str


def training(report: Result) -> Drawing:
    """Loss and validation score, epoch by epoch, of every round."""

    def draw(figure: Figure) -> None:
        losses, scores = figure.subplots(1, 2)
        for number, one in _trained(report):
            epochs = one["training"]["epochs"]
            colour, style = (AFTER, "o-") if number == report["chosen"] else (BEFORE, LINES[number % len(LINES)])
            x = [epoch["epoch"] for epoch in epochs]
            losses.plot(x, [epoch["loss"] for epoch in epochs], style, color=colour, ms=3, label=f"round {number}")
            scores.plot(x, [epoch["overall"] for epoch in epochs], style, color=colour, ms=3)
        losses.set(title="training loss", xlabel="epoch")
        scores.set(title="overall, validation part", xlabel="epoch", ylim=(0, 1))
        for panel in (losses, scores):
            panel.grid(axis="y")
            panel.xaxis.get_major_locator().set_params(integer=True)
        losses.set_ylim(0, 1.08 * losses.get_ylim()[1])
        _legend(figure, losses, len(_trained(report)))

    alt = "Training loss and overall score of the validation part, epoch by epoch. At the end: " + "; ".join(
        f"round {number} {one['training']['epochs'][-1]['overall']:.3f}" for number, one in _trained(report)
    )
    return _drawing(draw, 2.5, alt)


def _trained(report: Result) -> list[tuple[int, Result]]:
    """Rounds, with their numbers, that had a training of their own."""
    return [(number, one) for number, one in enumerate(report["rounds"]) if not one["skipped"]]


def scores(report: Result) -> Drawing:
    """The final score of each tool, and overall, with intervals: the current student, before and after the rounds."""
    students = {report["against"]: (report["current"], CURRENT)}
    if report["chosen"]:
        students["round 0"] = (report["rounds"][0], BEFORE)
    students[f"round {report['chosen']}"] = (report["rounds"][report["chosen"]], AFTER)

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        width = 0.8 / len(students)
        for place, (name, (student, colour)) in enumerate(students.items()):
            found = student["intervals"]["All"]
            bars = [*(found["tools"][tool]["final"] for tool in TOOLS), found["overall"]]
            x = [index + (place - (len(students) - 1) / 2) * width for index in range(len(bars))]
            values = [bar["value"] for bar in bars]
            spread = [[bar["value"] - bar["low"] for bar in bars], [bar["high"] - bar["value"] for bar in bars]]
            panel.bar(x, values, width * 0.9, color=colour, label=name)
            panel.errorbar(x, values, yerr=spread, fmt="none", ecolor=INK, elinewidth=0.8, capsize=2)
            for at, bar in zip(x, bars, strict=True):
                panel.annotate(f"{bar['value']:.2f}", (at, bar["high"] + 0.015), ha="center", fontsize=7)
        labels = [*(tool.replace("_", "\n") for tool in TOOLS), "overall"]
        panel.set(ylim=(0, 1), xticks=range(len(labels)), xticklabels=labels, ylabel=f"final, {LEVEL:.0%} interval")
        panel.grid(axis="y")
        _legend(figure, panel, len(students))

    alt = "Final scores on the test rows. " + " ".join(
        f"{name}: "
        + ", ".join(f"{tool.replace('_', ' ')} {own['tools'][tool]['final']['value']:.2f}" for tool in TOOLS)
        + f", overall {own['overall']['value']:.2f}."
        for name, own in ((name, student["intervals"]["All"]) for name, (student, _) in students.items())
    )
    return _drawing(draw, 3.0, alt)


def rounds(report: Result) -> Drawing:
    """Overall by round, on the validation part, which chooses, and on the test rows, beside the current student's."""

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        numbers = range(len(report["rounds"]))
        tested = [one["intervals"]["All"]["overall"] for one in report["rounds"]]
        values = [one["value"] for one in tested]
        spread = [[one["value"] - one["low"] for one in tested], [one["high"] - one["value"] for one in tested]]
        panel.errorbar(numbers, values, yerr=spread, fmt="o-", color=AFTER, capsize=3, label="test rows")
        panel.plot(
            numbers, [one["validation"] for one in report["rounds"]], "s--", color=BEFORE, label="validation part"
        )
        panel.axhline(
            report["current"]["scores"]["All"]["overall"],
            color=CURRENT,
            ls=":",
            label=f"{report['against']}, test rows",
        )
        labels = [
            f"round {n}\n" + (f"{one['augment']['added']:,} rows added" if one["augment"] else "no rows added")
            for n, one in enumerate(report["rounds"])
        ]
        panel.set(xticks=numbers, xticklabels=labels, ylabel="overall", ylim=(0, 1), xlim=(-0.5, len(numbers) - 0.5))
        panel.grid(axis="y")
        _legend(figure, panel, 2)

    alt = "Overall by round, test rows and validation part. " + " ".join(
        f"Round {number}: {one['scores']['All']['overall']:.3f} and {one['validation']:.3f}."
        for number, one in enumerate(report["rounds"])
    )
    return _drawing(draw, 3.0, alt)


def funnel(report: Result) -> Drawing:
    """What became of the log's intents."""
    counts = report["collect"]["funnel"]
    lost = {name: f"− {why}" for name, why in losses(Rule(**report["collect"]["rule"])).items()}
    names = {"intents": "different intents", **lost, "kept": "= kept"}

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        values = [counts[key] for key in names]
        colours = [AFTER if key in {"intents", "kept"} else BEFORE for key in names]
        panel.barh(list(names.values()), values, color=colours)
        for place, value in enumerate(values):
            panel.annotate(f"{value:,}", (value, place), (4, 0), textcoords="offset points", va="center", fontsize=8)
        panel.invert_yaxis()
        panel.set(xlim=(0, 1.15 * max(1, *values)), xticks=[])
        panel.spines["bottom"].set_visible(False)
        panel.tick_params(left=False)

    alt = "From intents to rows: " + ", ".join(f"{name} {counts[key]:,}" for key, name in names.items())
    return _drawing(draw, 2.0, alt)


def turned(report: Result) -> Drawing:
    """Right and wrong answers, before and after: in the training sample, and on the test rows against the current."""
    parts = {
        "training sample:\nround 0 → chosen": report["in_training"],
        f"test rows:\n{report['against']} → new": report["against_current"],
    }
    kinds = {
        "stayed right": ("still_right", CURRENT),
        "mended": ("mended", AFTER),
        "newly wrong": ("broken", WORSE),
        "stayed wrong": ("still_wrong", BEFORE),
    }

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        left = [0.0] * len(parts)
        for name, (key, colour) in kinds.items():
            shares = [part[key] / max(1, part["rows"]) for part in parts.values()]
            panel.barh(list(parts), shares, left=left, color=colour, label=name, height=0.6)
            for place, (share, start) in enumerate(zip(shares, left, strict=True)):
                if share > 0.06:
                    words = panel.annotate(f"{share:.0%}", (start + share / 2, place), ha="center", va="center")
                    words.set_color(PAPER)
            left = [start + share for start, share in zip(left, shares, strict=True)]
        panel.invert_yaxis()
        panel.set(xlim=(0, 1), xticks=[])
        panel.spines["bottom"].set_visible(False)
        panel.tick_params(left=False)
        _legend(figure, panel, 2)

    alt = "Answers before and after. " + " ".join(
        f"{name}: " + ", ".join(f"{kind} {part[key]:,}" for kind, (key, _) in kinds.items()) + "."
        for name, part in parts.items()
    )
    return _drawing(draw, 2.2, alt)


def latency(report: Result) -> Drawing:
    """Milliseconds of one request: median, 90th and 99th percentile."""
    students = {report["against"]: ("current", CURRENT), report["model"]: ("new", AFTER)}

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        for place, (name, (key, colour)) in enumerate(students.items()):
            median, high, highest = report["latency"][key]["quantiles"]
            panel.barh([name], [median], color=colour, height=0.5)
            panel.errorbar([median], [place], xerr=[[0], [highest - median]], ecolor=INK, fmt="none", capsize=3)
            panel.plot([high], [place], "|", color=INK, ms=10)
            panel.annotate(f"median {median:.1f}", (highest, place), (8, 0), textcoords="offset points", va="center")
        top = max(report["latency"][key]["quantiles"][-1] for key, _ in students.values())
        panel.set(xlabel="milliseconds", xlim=(0, 1.35 * top))
        panel.grid(axis="x")
        panel.invert_yaxis()

    alt = "Milliseconds of one request, median: " + ", ".join(
        f"{name} {report['latency'][key]['median']:.1f}" for name, (key, _) in students.items()
    )
    return _drawing(draw, 1.4, alt)


def _legend(figure: Figure, panel: Any, columns: int) -> None:
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=columns)


def _drawing(draw: Callable[[Figure], None], height: float, alt: str) -> Drawing:
    """Drawn, without what a page of several drawings cannot use: header, ids that nothing refers to, styles."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure)
        output = StringIO()
        figure.savefig(
            output, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    drawn = output.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", drawn)
    drawn = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', drawn, count=1)
    for colour, role in ROLES.items():
        drawn = drawn.replace(colour, role)
    return Drawing(re.sub(r">\s+<", "><", drawn).strip(), alt)

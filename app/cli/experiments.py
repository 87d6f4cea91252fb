"""`recolor experiment`: what became of the projects under each variant."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.cli.comparing import check_chart
from app.cli.console import errors, out, settings_of, write
from app.cli.events import database
from app.settings import StartError

if TYPE_CHECKING:
    from app.distill.experiment.analysis import Report
    from app.distill.experiment.counts import Arm

experiment = typer.Typer(help="Variants compared by what their users export.", no_args_is_help=True)


@experiment.callback()
def _group() -> None:
    """Variants compared by what their users export."""


@experiment.command()
def report(
    variants: Annotated[
        list[str] | None,
        typer.Argument(
            help="Counts of projects: name=exported/started. The first is the control.",
            show_default="what the event store counts",
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--experiment", help="The experiment in the event store.", show_default="the last begun")
    ] = "",
    control: Annotated[
        str, typer.Option(help="The variant to compare with.", show_default="control, or the first")
    ] = "",
    weights: Annotated[
        str,
        typer.Option(
            help="Intended split, e.g. control=9,canary=1.",
            show_default="that of RECOLOR_VARIANTS if it is this experiment's, else equal parts",
        ),
    ] = "",
    lift: Annotated[float, typer.Option(help="The relative lift that the sample size is for.")] = 0.02,
    power: Annotated[float, typer.Option(min=0.5, max=0.99, help="How surely such a lift is to be found.")] = 0.8,
    effect: Annotated[
        float, typer.Option(min=0.001, max=1, help="The relative effect that the sequential test looks for.")
    ] = 0.03,
    published: Annotated[
        bool, typer.Option("--published", help="Show the published experiments; needs --completion.")
    ] = False,
    completion: Annotated[
        float | None, typer.Option(help="Completion rate of the published control, which was not published: 0..1.")
    ] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Also write the result to this file.")] = None,
    chart: Annotated[Path | None, typer.Option(help="Also draw the ratios, a .png file.")] = None,
) -> None:
    """Started, exported and completion rate of each variant; ratio to the control, intervals, p-values and a verdict.

    The p-value is for who looks once, when the planned sample is there. Who looks every day goes by `verdict` and the
    interval beside it, which hold at every look. A split that is off (a chi-square test) makes all of it worthless.
    From the event store, a project counts for the variant that served it first, as in the service's metrics.

    recolor experiment report control=3120/10000 canary=3290/10050 --lift 0.03
    """
    check_chart(chart)
    with errors():
        from app.distill.experiment.analysis import analyse
        from app.distill.experiment.counts import PUBLISHED, ExperimentError, read_arm

        if published != (completion is not None) or (published and variants):
            raise ExperimentError("--published and --completion go together, without other counts")
        if name and (variants or published):
            raise ExperimentError("--experiment is for what the event store counts, without other counts")
        if completion is not None:
            out.print(
                f"Published projects and ratios (other data). Completion rates were not published: {completion:g} is "
                "assumed for the control, and all counts of exports follow from it.",
                soft_wrap=True,
                highlight=False,
            )
            found = [
                analyse(experiment.arms(completion), experiment.control[0], lift, power, effect)
                for experiment in PUBLISHED
            ]
        else:
            stored, moved = ([read_arm(text) for text in variants], 0) if variants else _stored(name)
            arms = _weighted(stored, weights)
            names = [arm.name for arm in arms]
            chosen = control or ("control" if "control" in names else names[0] if names else "")
            found = [analyse(arms, chosen, lift, power, effect)]
            if moved:
                found[0].notes.append(
                    f"{moved:,} projects were served under several variants, and count for their first one"
                )
        for one in found:
            _show(one)
        if chart is not None:
            _draw(found, chart)
        write(as_json, [one.plain() for one in found] if published else found[0].plain())


def _stored(name: str) -> tuple[list["Arm"], int]:
    """What the event store counts of an experiment, and the projects whose variant changed. Raises ExperimentError."""
    from app.distill.experiment.counts import Arm, ExperimentError
    from app.events.overview import projects

    with database() as opened:
        counted = projects(opened)
    names = [one.experiment for one in counted]
    if name and name not in names:
        known = ", ".join(dict.fromkeys(filter(None, names))) or "none"
        raise ExperimentError(f"the event store knows no experiment {name!r} (there: {known})")
    chosen = name or (names[-1] if names else "")
    out.print(f"Experiment: {chosen or 'none; all projects outside of experiments'}", markup=False, highlight=False)
    arms = [one for one in counted if one.experiment == chosen]
    parts = _parts(chosen)
    if not {one.variant for one in arms} <= parts.keys():
        parts = dict.fromkeys((one.variant for one in arms), 1.0)
    counts = {one.variant: (one.exported, one.started) for one in arms}
    return [Arm(variant, *counts.get(variant, (0, 0)), weight) for variant, weight in parts.items()], sum(
        one.moved for one in arms
    )


def _parts(name: str) -> Mapping[str, float]:
    """The split in the settings, if they are of this experiment."""
    from app.serving.variant import read_experiment

    try:
        experiment = read_experiment(settings_of())
    except ValueError as error:
        raise StartError(str(error)) from None
    return experiment.percents if experiment and experiment.name == name else {}


def _weighted(arms: Sequence["Arm"], weights: str) -> list["Arm"]:
    """Raises ExperimentError where weights cannot be read or are not those of the arms."""
    from app.distill.experiment.counts import ExperimentError

    if not weights:
        return list(arms)
    try:
        given = {
            name.strip(): float(weight) for name, _, weight in (part.partition("=") for part in weights.split(","))
        }
    except ValueError:
        raise ExperimentError(f"{weights!r} are no weights; expected control=9,canary=1") from None
    if given.keys() != {arm.name for arm in arms}:
        raise ExperimentError(f"--weights names {', '.join(given)}; the variants are {', '.join(a.name for a in arms)}")
    return [replace(arm, weight=given[arm.name]) for arm in arms]


def _show(found: "Report") -> None:
    view = _table("Projects by variant", "variant", "started", "exported", "completion")
    for arm in [arm for arm in (found.control, *found.variants) if arm is not None]:
        rate = "–" if arm.completion is None else f"{arm.completion:.2%}"
        view.add_row(arm.name, f"{arm.started:,}", f"{arm.exported:,}", rate)
    out.print(view)
    if found.control is not None and found.comparisons:
        columns = ("variant", "ratio", "one look", "p", "any looks", "p", "verdict")
        view = _table(f"Completion against {found.control.name}, 95% intervals", *columns)
        for one in found.comparisons:
            estimates = ("–", "–", "–")
            if (seen := one.estimate) is not None:
                once, always = (seen.low, seen.high), (seen.always_low, seen.always_high)
                estimates = (f"{seen.ratio:.3f}", _interval(*once), _interval(*always))
            ratio, planned, anytime = estimates
            view.add_row(one.variant, ratio, planned, _p(one.p), anytime, _p(one.always_p), one.verdict)
        out.print(view)
    lines = list(found.notes)
    if found.split_p is not None:
        lines.append(f"split: p = {_p(found.split_p)} (of one as uneven by chance)")
    if found.needed is not None:
        lines.append(f"a lift of {found.lift:+.1%} is found with {found.power:.0%} power by {found.needed:,} a variant")
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def _table(title: str, *columns: str) -> Table:
    """The first column is text, the others are numbers."""
    view = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        view.add_column(column, justify="right" if index else "left", no_wrap=True)
    return view


def _interval(low: float, high: float) -> str:
    return f"{low:.3f} .. {high:.3f}"


def _p(value: float) -> str:
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"


def _draw(found: Sequence["Report"], chart: Path) -> None:
    from app.distill.experiment.chart import draw_ratios

    comparisons = [one for report in found for one in report.comparisons]
    control = next((report.control.name for report in found if report.control is not None), "nothing")
    draw_ratios(comparisons, control, chart)
    out.print(f"wrote {chart}", markup=False, highlight=False, soft_wrap=True)

"""`recolor canary`: promote, wait or roll back, by the numbers of a Prometheus server."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal

import typer
from rich.table import Table

from app.canary import Criterion, Guarantee, Prometheus, Report, ServerAwayError, judge, read_criteria, read_tracks
from app.canary.verdict import LEAST_REQUESTS, Verdict
from app.canary.words import amount, apart, interval, tolerated
from app.cli.console import err, errors, out, settings_of
from app.settings import bearer_key, http_address

EXIT: Mapping[Verdict, int] = {"promote": 0, "wait": 10, "roll back": 20}

NEARLY_HALF = 0.45
"""Of the requests of both: Prometheus' counts of equal ones differ by what it adds for the edges of the window."""

_WINDOW = re.compile(r"[1-9]\d{0,5}[smhd]")
_COLOURS = {"good": "green", "worse": "red", "undecided": "yellow"}


def canary(
    prometheus: Annotated[str, typer.Option(help="Address of the Prometheus server.")],
    window: Annotated[str, typer.Option(help="How far to look back, e.g. 30m or 2h.")] = "10m",
    min_requests: Annotated[int, typer.Option(min=1, help="Requests that each track must have had.")] = LEAST_REQUESTS,
    most: Annotated[
        list[str] | None,
        typer.Option(
            help="Tolerate something else, e.g. errors=0.02 (a part) or latency=1.5 (times).", metavar="NAME=N"
        ),
    ] = None,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.9999, help="How sure a verdict is.")] = 0.95,
    looks: Annotated[int, typer.Option(min=1, help="Looks at one canary for which that holds together.")] = 20,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again until it is decided, at most --looks times.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between the looks of --watch.")] = 60.0,
    namespace: Annotated[str | None, typer.Option(help="Of the release.", show_default="the only one")] = None,
    job: Annotated[str | None, typer.Option(help="Of its scrapes.", show_default="the only one")] = None,
    release: Annotated[str, typer.Option(help="Its name for Helm, for the command to run next.")] = "recolor",
    form: Annotated[Literal["text", "json"], typer.Option("--format", help="What is printed.")] = "text",
) -> None:
    """Promote, wait or roll back: judge the canary against the stable track.

    Exit code: 0 promote, 10 wait, 20 roll back, 1 no answer, 2 wrong usage.

    Looked at are errors (5xx), latency (p95), fallbacks, and whether a pod is
    without its student: by the queries and limits of the chart's alerts and of
    its Argo analysis, with an interval around each difference. Worse is what
    lies above its limit with the whole interval, good what lies below it;
    anything else waits.

    The intervals are so wide that over --looks looks a canary within the limits
    is rolled back, and one beyond a limit promoted, with a probability of at
    most 1 - --confidence each. Looks beyond --looks are not covered.

    A pod that is without its student counts once it has been ready before and
    is so for two minutes.

    A canary's cache is cold at first, which makes it slower than stable by its
    popular looks: give it time before you believe its latency.

    A key, if Prometheus asks for one: RECOLOR_PROMETHEUS_KEY.
    """
    criteria = _with_limits(read_criteria(), most or [])
    if not _WINDOW.fullmatch(window):
        raise typer.BadParameter(f"{window} is none, such as 30m or 2h", param_hint="--window")
    try:
        address = http_address(prometheus, "it")
        key = bearer_key(settings_of().prometheus_key, "RECOLOR_PROMETHEUS_KEY")
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--prometheus") from None
    guarantee = Guarantee(confidence, looks)

    def look() -> Report:
        tracks = read_tracks(server, criteria, window, namespace, job)
        return judge(tracks, criteria, window, min_requests, guarantee)

    with errors(), Prometheus(address, key) as server:
        for left in range(looks - 1 if watch else 0, 0, -1):
            try:
                report = look()
            except ServerAwayError as error:  # a server that is away for a moment ends no watch
                progress = str(error)
            else:
                if report.verdict != "wait":
                    break
                progress = "; ".join(report.reasons)
            err.print(f"wait, at most {left} more looks: {progress}", markup=False, highlight=False, soft_wrap=True)
            time.sleep(every)
        else:
            report = look()
    if form == "json":
        print(json.dumps(report.plain(), allow_nan=False))
    else:
        show(report, release)
    raise typer.Exit(EXIT[report.verdict])


def _with_limits(criteria: Sequence[Criterion], given: Sequence[str]) -> list[Criterion]:
    """Raises typer.BadParameter."""
    limits = {}
    for text in given:
        name, _, number = text.partition("=")
        if not any(it.counts and it.name == name for it in criteria) or not re.fullmatch(r"\d+(\.\d+)?", number):
            names = ", ".join(it.name for it in criteria if it.counts)
            raise typer.BadParameter(f"{text}: expected NAME=NUMBER, and one of {names}", param_hint="--most")
        limits[name] = float(number)
    return [replace(it, most=limits.get(it.name, it.most)) for it in criteria]


def show(report: Report, release: str) -> None:
    """`release` is its name for Helm."""
    tracks = report.tracks
    title = f"{tracks.model or 'canary'} against stable, {tracks.release}, the last {report.window}"
    view = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    view.add_column("")
    for column in ("stable", "canary", "difference", "interval", "tolerated"):
        view.add_column(column, justify="right", no_wrap=True)
    view.add_column("")
    asked = (f"{tracks.requests[track]:,.0f}" for track in ("stable", "canary"))
    view.add_row("requests", *asked, "", "", f"from {report.least:,}", "")
    for it in report.findings:
        view.add_row(
            it.name,
            amount(it.stable, it.unit),
            amount(it.canary, it.unit),
            apart(it.difference, it.unit),
            interval(it.low, it.high, it.unit),
            tolerated(it.most, it.unit),
            f"[{_COLOURS[it.judged]}]{it.judged}[/]",
        )
    out.print(view)
    sure = report.guarantee
    lines = [f"The intervals hold together over {sure.looks} looks, with a confidence of {sure.confidence:g}.", ""]
    lines += [report.verdict.upper(), *(f"  {reason}" for reason in report.reasons), "", *_next(report, release)]
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def _next(report: Report, release: str) -> list[str]:
    """The command to run now, as helm/README.md has it."""
    namespace = f" -n {report.tracks.release.namespace}" if report.tracks.release.namespace else ""
    upgrade = f"  helm upgrade {release} helm/{namespace} --reset-then-reuse-values"
    match report.verdict:
        case "promote":
            model = report.tracks.model or "NAME@VERSION"
            return [
                "Promote it (and --set image.tag=…, if the canary had a tag of its own):",
                f"{upgrade} --set model={model} --set canary.enabled=false",
            ]
        case "roll back":
            return ["Roll it back:", f"{upgrade} --set canary.enabled=false"]
        case "wait":
            stable, canary = (report.tracks.requests[track] for track in ("stable", "canary"))
            later = "Look again later, or over a longer --window"
            part = canary / (stable + canary) if canary else 0.0
            if not 0 < part < NEARLY_HALF:  # more of the requests would help nothing, or it has half of them
                return [f"{later}."]
            return [
                f"{later}; or give it more than the {part:.0%} of the requests that it had:",
                f"{upgrade} --set canary.weight=N",
            ]

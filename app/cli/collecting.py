"""`recolor collect`: from the log of what was served and exported to a dataset."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from app.cli.console import err, errors, listing, out, settings_of

if TYPE_CHECKING:
    from app.distill.collect.collecting import Collection


def collect(
    log: Annotated[
        str,
        typer.Argument(
            help="The event log: a SQLite event store, a PostgreSQL URL, a .jsonl file of `recolor events export`, a "
            ".parquet file of the same columns, or a folder with served*.parquet and feedback*.parquet (or .jsonl).",
            show_default="RECOLOR_EVENTS_URL, or the store under RECOLOR_EVENTS_FOLDER",
        ),
    ] = "",
    output: Annotated[Path, typer.Option("--output", "-o", help="The dataset to write, a .jsonl file.")] = Path(
        "runs/collected.jsonl"
    ),
    by: Annotated[
        Literal["rate", "bound"],
        typer.Option(help="What wins: the highest exports / serves, or the highest lower bound of it."),
    ] = "rate",
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of that bound, one-sided.")] = 0.95,
    source: Annotated[
        list[str] | None,
        typer.Option(help="Whose answers may become the truth; can be repeated.", show_default="teacher"),
    ] = None,
    unexported: Annotated[
        bool,
        typer.Option(
            "--unexported",
            help="For a tool of which nothing was exported keep the newest answer, even if users removed or discarded "
            "it: more intents, worse answers.",
        ),
    ] = False,
) -> None:
    """Keep, for every intent and tool, the teacher's answer that users exported most often, and drop the others.

    Of rival answers the one with the highest export rate wins (of equal ones the more often exported, then the newer).
    By rate, 1 export of 1 serve beats 95 of 100; `--by bound` asks what the rate is at least. Intents of which some
    tool was never exported are dropped unless `--unexported` keeps them, and so is whatever cannot be read: both are
    counted. Beside the dataset lies a .json with the same counts. Needs the extra `loop`.

    recolor collect log.jsonl -o dataset.jsonl && recolor split dataset.jsonl && recolor train --data dataset.jsonl
    """
    if output.suffix != ".jsonl" or output.is_dir():
        raise typer.BadParameter(f"{output} is no .jsonl file", param_hint="--output")
    with errors():
        from app.distill.collect.collecting import collect as run
        from app.distill.collect.collecting import write_dataset
        from app.distill.collect.log import open_log
        from app.distill.collect.rule import Rule

        rule = Rule(tuple(source or Rule().sources), by, confidence, unexported)
        with _told() as status, open_log(log or _store()) as opened:
            found = run(opened, rule, status)
        for view in tables(found):
            out.print(view)
        for refused in found.refused:
            out.print(f"refused, for example: {refused}", markup=False, highlight=False, soft_wrap=True)
        output.resolve().parent.mkdir(parents=True, exist_ok=True)
        manifest = write_dataset(found, output)
    out.print(f"wrote {output}, counts in {manifest.name}", markup=False, highlight=False, soft_wrap=True)


def tables(found: "Collection") -> list[Table]:
    """The funnel, calls per intent, and what could not be used."""
    from app.distill.collect.rule import losses

    funnel, calls = found.funnel, found.calls
    other = "lower bound" if found.rule.by == "rate" else "rate"
    simulated = f", of which {funnel.simulated} simulated" if funnel.simulated else ""
    views = [
        listing("From calls to the dataset"),
        listing("Calls per intent"),
        listing("Not used"),
    ]
    for name, count in (
        (f"calls{simulated}", funnel.calls),
        ("different intents", funnel.intents),
        *((f"− {why}", getattr(funnel, name)) for name, why in losses(found.rule).items()),
        ("= kept", funnel.kept),
        ("rows, one a tool", funnel.rows),
        *([("of them with an answer that nobody exported", funnel.unexported)] if found.rule.unexported else []),
        (f"rows with another answer by {other}", funnel.rules_differ),
    ):
        views[0].add_row(name, f"{count:,}")
    if calls is not None:
        views[1].add_row(
            "mean, median, 90th percentile, most", f"{calls.mean:.2f}, {calls.median}, {calls.p90}, {calls.most}"
        )
        views[1].add_row("intents with at least 3 calls (r3), 5 calls (r5)", f"{calls.r3:,}, {calls.r5:,}")
    for name, count in found.problems.items():
        views[2].add_row(name, f"{count:,}")
    return [view for view in views if view.row_count]


@contextmanager
def _told() -> Iterator[Callable[[str], None]]:
    """Shows which step is under way."""
    with err.status("opening the log") as status:
        yield status.update


def _store() -> str:
    """Where the service logs to. Raises LogError where it logs nothing."""
    from app.distill.collect.errors import LogError

    settings = settings_of()
    url = settings.events_url.get_secret_value() if settings.events_url else ""
    if url == "none":
        raise LogError("events are switched off: RECOLOR_EVENTS_URL is `none`; name a log")
    return url or str(settings.events_folder / "events.sqlite3")

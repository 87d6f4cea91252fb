"""`recolor events`: what the event store holds, and what must go from it."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from app.cli.console import errors, out, settings_of
from app.settings import StartError

if TYPE_CHECKING:
    from app.events.database import Database
    from app.events.overview import Overview
    from app.events.retention import Deleted

events = typer.Typer(help="The log of what was served and exported.", no_args_is_help=True)

_AGE = re.compile(r"(\d{1,5})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


@events.command()
def stats(as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False) -> None:
    """Count what was served, exported and discarded."""
    from app.events.overview import overview

    with database() as opened:
        found = overview(opened)
    if as_json:
        print(json.dumps(asdict(found), default=datetime.isoformat))
    else:
        out.print(_table(found))


@events.command()
def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="The .jsonl file to write.")],
) -> None:
    """Write every served tool with what became of it, one JSON object a line."""
    from app.events.overview import rows

    if output.suffix != ".jsonl" or not output.resolve().parent.is_dir():
        raise typer.BadParameter(f"{output} is no .jsonl file in a folder that exists", param_hint="--output")
    draft = output.with_name(f".{output.name}.part")
    count = 0
    try:
        with database() as opened, draft.open("w", encoding="utf-8") as file:
            for row in rows(opened):
                file.write(json.dumps(_plain(row), ensure_ascii=False) + "\n")
                count += 1
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)
    out.print(f"wrote {count} served tools to {output}", markup=False, highlight=False, soft_wrap=True)


@events.command()
def prune(older_than: Annotated[str, typer.Option(help="An age: 120d, 36h or 90m.")]) -> None:
    """Delete everything that is older."""
    from app.events import retention

    age = _AGE.fullmatch(older_than)
    if age is None:
        raise typer.BadParameter(f"{older_than!r} is no age such as 120d, 36h or 90m", param_hint="--older-than")
    before = datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
    with database() as opened:
        _tell(retention.prune(opened, before))


@events.command()
def forget(user: Annotated[str, typer.Option(help="The user's id, as requests name it.")]) -> None:
    """Delete everything of one user, and what of theirs still waits on some disk as soon as it arrives."""
    from app.events import retention
    from app.events.user import UserHash

    key = settings_of().events_user_key
    with database() as opened:
        if key is None:
            raise StartError("without RECOLOR_EVENTS_USER_KEY no user is stored, and none can be found.")
        _tell(retention.forget(opened, UserHash(key)(user), datetime.now(UTC)))


@contextmanager
def database() -> Iterator["Database"]:
    """The event store's, its tables up to date; known errors are told as one line."""
    from app.events.opening import open_store

    with errors():
        try:
            store = open_store(settings_of())
        except ValueError as error:
            raise StartError(str(error)) from None
        if store is None:
            raise StartError("events are switched off: RECOLOR_EVENTS_URL is `none`.")
        store.prepare()
        try:
            yield store.database
        finally:
            store.close()


def _tell(deleted: "Deleted") -> None:
    out.print(
        f"deleted {deleted.served} served tools, {deleted.feedback} rows of feedback, {deleted.projects} of projects",
        highlight=False,
    )


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "time": row["time"].isoformat(),
        "output": row["output"] and json.loads(row["output"]),
        "exported": bool(row["exported"]),
        "discarded": bool(row["discarded"]),
    }


def _table(found: "Overview") -> Table:
    view = Table("", "", box=None, show_header=False, padding=(0, 2))
    view.add_row("requests", str(found.requests))
    view.add_row("different intents", str(found.intents))
    if found.first and found.last:
        view.add_row("from, until", f"{found.first:%Y-%m-%d %H:%M}, {found.last:%Y-%m-%d %H:%M} UTC")
    for source, counts in found.sources.items():
        view.add_row(
            f"tools by {source}",
            f"{counts.served} served, {counts.exported} exported, {counts.discarded} discarded",
        )
    for one in found.projects:
        name = f"projects, {one.experiment} {one.variant}" if one.experiment else f"projects, {one.variant}"
        rate = one.exported / one.started
        view.add_row(name, f"{one.started} started, {one.exported} exported ({rate:.1%})")
    view.add_row("requests with feedback, never served", str(found.unmet))
    view.add_row("request ids used for several intents", str(found.shared))
    return view

"""Events to keep, event logs that run, and what is in their stores."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from app.events import Feedback, Serve, ServedTool
from app.events.database import Database
from app.events.log import EventLog
from app.events.opening import open_events
from app.events.record import Entry, Record, line_of, record_of
from app.events.schema import SERVED_WITH_FEEDBACK
from app.grade import Adjust, Filter
from app.settings import Settings

NOW = 1_790_000_000.0


def serve(request_id: str = "r1", **changes: Any) -> Serve:
    """An answer with a used and an unused tool, the second by the teacher."""
    tools = (
        ServedTool("adjust", Adjust(contrast=10), "student", "mini@1"),
        ServedTool("filter", None, "teacher", "large", reasoning="no need"),
    )
    return Serve(**{"request_id": request_id, "intent": "dusk", "tools": tools, "variant": "control"} | changes)


def only(tool: str) -> tuple[ServedTool, ...]:
    """An answer's tools, where only this one was asked for."""
    return (ServedTool(tool, Filter(name="vivid", intensity=5) if tool == "filter" else None, "student", "mini@1"),)


def record(event: Serve | Feedback, time: float = NOW) -> Record:
    """The event as the store takes it, by way of its line; users are hashed to themselves."""
    made = record_of(line_of(Entry(event, time, event.user_id)))
    assert made is not None
    return made


def rows(database: Database, table: Table = SERVED_WITH_FEEDBACK) -> list[dict[str, Any]]:
    with database.transaction(reading=True) as connection:
        return [row._asdict() for row in connection.execute(select(table))]


def verdicts(database: Database, request_id: str = "r1") -> dict[str, str]:
    """What became of each tool of a request: exported, discarded, or nothing."""
    names = {(1, 0): "exported", (0, 1): "discarded", (0, 0): ""}
    found = [row for row in rows(database) if row["request_id"] == request_id]
    assert len({row["tool"] for row in found}) == len(found)
    return {row["tool"]: names[row["exported"], row["discarded"]] for row in found}


def settings(folder: Path, url: str = "", **changes: Any) -> Settings:
    """Events in a folder, onto disk at once."""
    given = {"events_url": url, "events_folder": folder, "events_flush_seconds": 0.01, "model": "scripted@1"}
    return Settings(**given | changes)


@contextmanager
def event_log(folder: Path, url: str = "", **changes: Any) -> Iterator[EventLog]:
    log = open_events(settings(folder, url, **changes))
    assert isinstance(log, EventLog)
    log.start()
    try:
        yield log
    finally:
        log.close()


def spooled(folder: Path) -> int:
    """Lines on disk that wait for the store, or are about to be deleted."""
    lines = 0
    for path in folder.glob("spool/*/*.jsonl"):
        with suppress(FileNotFoundError):  # deleted meanwhile
            lines += path.read_bytes().count(b"\n")
    return lines


@contextmanager
def full_disk(after: int = 0) -> Iterator[None]:
    """In this block no file of this process can grow beyond so many bytes."""
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after, allowed[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)

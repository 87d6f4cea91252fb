"""The event store: a database that has every event once, however often it is delivered."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from app.events.database import Database
from app.events.record import FeedbackRecord, Record, ServeRecord
from app.events.schema import (
    DISCARDED,
    EXPORTED,
    FEEDBACK,
    FORGOTTEN,
    MOVED,
    PROJECTS,
    REMOVED,
    SERVED,
    STARTED,
    sqlite_time,
)
from app.grade import TOOLS

WRITE_SECONDS = 15.0
"""After which a statement has failed, for this time."""

Row = dict[str, Any]

Project = tuple[str, str]
"""Its id, and the experiment that it takes part in."""


@dataclass(frozen=True, slots=True)
class NewProjects:
    """How many projects reached a milestone, as the first in the whole store, by the variant that they began with."""

    started: Counter[str] = field(default_factory=Counter)
    exported: Counter[str] = field(default_factory=Counter)


class EventStore:
    """Written by every replica at once. `prepare` it first."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._inserts = {table: _insert_sql(table, database.is_sqlite) for table in (SERVED, FEEDBACK)}
        self._prepared = False

    def prepare(self) -> str:
        """Bring the tables up to date, once; returns what there is to say about it. Raises EventStoreError."""
        if self._prepared:
            return ""
        from app.events.migrate import migrate  # takes a third of a second, which a start need not wait for

        said = migrate(self.database)
        self._prepared = True
        return said

    def write(self, records: Sequence[Record], experiment: str = "") -> NewProjects:
        """Keep all events, or none; those already there are left alone. Returns what is new of the projects of an
        experiment; the empty name is for those of none. Raises EventStoreError.

        Milestones of projects need an event and its counterpart, which another replica may be writing just now. They
        are looked for after the events are committed, so that of two writers at least the later one sees both.
        """
        with self.database.transaction(seconds=WRITE_SECONDS) as connection:
            records = _without_forgotten(connection, records)
            self._insert_new(connection, SERVED, _served(records))
            self._insert_new(connection, FEEDBACK, _feedback(records))
        with self.database.transaction(seconds=WRITE_SECONDS) as connection:
            records = _without_forgotten(connection, records)
            exported = _exported(connection, sorted({record.request_id for record in records}))
            # What was exported has been started, although its serve may have named no project.
            served = [*_started(records), *exported]
            new_started = self._reach(connection, STARTED, served)
            first = _first_variants(connection, served)
            new_exported = self._reach(connection, EXPORTED, exported, first)
            moved = [row for row in served if row["variant"] != first.get(_project(row), row["variant"])]
            self._reach(connection, MOVED, moved, first)
            return NewProjects(new_started[experiment], new_exported[experiment])

    def close(self) -> None:
        self.database.close()

    def _insert_new(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            # In one order for all writers: two of them that wait for each other's rows would wait for ever.
            keys = [column.name for column in table.primary_key]
            rows = sorted(rows, key=lambda row: [row[key] for key in keys])
            if self.database.is_sqlite:
                rows = [row | {"time": sqlite_time(row["time"])} for row in rows]
            connection.exec_driver_sql(self._inserts[table], rows)

    def _reach(
        self, connection: Connection, milestone: str, rows: Iterable[Row], first: Mapping[Project, str] | None = None
    ) -> defaultdict[str, Counter[str]]:
        """How many of these projects had not reached a milestone, by experiment and variant.

        It is reached at the time of the earliest row, and under the project's `first` variant where there is one.
        """
        new: defaultdict[str, Counter[str]] = defaultdict(Counter)
        distinct: dict[Project, Row] = {}
        for row in sorted(rows, key=lambda row: row["time"]):
            variant = (first or {}).get(_project(row), row["variant"])
            distinct.setdefault(_project(row), row | {"milestone": milestone, "variant": variant})
        if distinct:
            insert = self._insert(PROJECTS).on_conflict_do_nothing()
            returned = insert.returning(PROJECTS.c.experiment, PROJECTS.c.variant)
            for experiment, variant in connection.execute(returned, [distinct[key] for key in sorted(distinct)]):
                new[experiment][variant] += 1
        return new


def _insert_sql(table: Table, is_sqlite: bool) -> str:
    """For the driver itself: by way of SQLAlchemy the service would spend twice the CPU time on its events."""
    names = [column.name for column in table.columns]
    values = [f":{name}" if is_sqlite else f"%({name})s" for name in names]
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join(values)}) ON CONFLICT DO NOTHING"  # noqa: S608


def _without_forgotten(connection: Connection, records: Sequence[Record]) -> Sequence[Record]:
    """The records but those that were waiting while their user's events were deleted."""
    users = {record.user_hash for record in records} - {None}
    found = connection.execute(select(FORGOTTEN).where(FORGOTTEN.c.user_hash.in_(users))) if users else ()
    until = {row.user_hash: row.time for row in found}
    return [
        record
        for record in records
        if not (record.user_hash in until and moment(record.time) <= until[record.user_hash])
    ]


def _served(records: Iterable[Record]) -> list[Row]:
    rows: list[Row] = []
    for record in records:
        if isinstance(record, ServeRecord):
            of_all = _common(record) | {
                "event_id": record.event_id,
                "intent": record.intent,
                "variant": record.variant,
                "experiment": record.experiment or None,
            }
            rows += [of_all | tool.model_dump() for tool in record.tools]
    return rows


def _feedback(records: Iterable[Record]) -> list[Row]:
    rows: list[Row] = []
    for record in records:
        if isinstance(record, FeedbackRecord):
            of_all = _common(record)
            rows += [of_all | {"tool": tool, "outcome": _outcome(record, tool)} for tool in TOOLS]
    return rows


def _common(record: Record) -> Row:
    return {
        "request_id": record.request_id,
        "time": moment(record.time),
        "project_id": record.project_id,
        "user_hash": record.user_hash,
    }


def _outcome(feedback: FeedbackRecord, tool: str) -> str:
    if feedback.event == "discarded":
        return DISCARDED
    return EXPORTED if feedback.tools is None or tool in feedback.tools else REMOVED


def _started(records: Iterable[Record]) -> list[Row]:
    return [
        {
            "project_id": record.project_id,
            "experiment": record.experiment,
            "variant": record.variant,
            "time": moment(record.time),
        }
        for record in records
        if isinstance(record, ServeRecord) and record.project_id
    ]


def _exported(connection: Connection, request_ids: Sequence[str]) -> list[Row]:
    """The projects of those of the requests that were served and exported. A serve's own project is believed first."""
    project = func.coalesce(SERVED.c.project_id, FEEDBACK.c.project_id)
    joined = SERVED.join(FEEDBACK, (SERVED.c.request_id == FEEDBACK.c.request_id) & (SERVED.c.tool == FEEDBACK.c.tool))
    experiment = func.coalesce(SERVED.c.experiment, "")
    found = connection.execute(
        select(
            project.label("project_id"),
            experiment.label("experiment"),
            SERVED.c.variant,
            func.min(FEEDBACK.c.time).label("time"),
        )
        .select_from(joined)
        .where(SERVED.c.request_id.in_(request_ids), FEEDBACK.c.outcome.in_([EXPORTED, REMOVED]), project != "")
        .group_by(project, experiment, SERVED.c.variant)
    )
    return [dict(row._mapping) for row in found]


def _first_variants(connection: Connection, rows: Sequence[Row]) -> dict[Project, str]:
    """The variant under which each project, started by now, was served first."""
    names = {row["project_id"] for row in rows}
    started = select(PROJECTS).where(PROJECTS.c.milestone == STARTED, PROJECTS.c.project_id.in_(names))
    return {_project(row._mapping): row.variant for row in (connection.execute(started) if names else ())}


def _project(row: Row | RowMapping) -> Project:
    return row["project_id"], row["experiment"]


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as a moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)

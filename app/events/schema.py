"""The tables of the event store, as the latest migration leaves them.

`served`    one row a served tool.
`feedback`  one row a tool that feedback was about, whether its serve is known or not; the same said twice is one row.
`projects`  when a project was first served and first exported in an experiment (of no name while none runs), and first
            served under another variant. Its variant is the one that served it first: there its export counts, whoever
            answers later. This is what metrics count.
`forgotten` users whose events up to a moment were deleted, lest a late delivery brings them back.
`served_with_feedback` (a view) every served tool with `exported` and `discarded`, 0 or 1:

- A tool is exported when some export of its request kept it. An unused tool shares the export of its request.
- It is discarded when its request was discarded, or exported without it. An export outweighs both, before and after.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator

METADATA = MetaData()

EXPORTED, REMOVED, DISCARDED = "exported", "removed", "discarded"
"""Outcomes of a tool: kept in an export, left out of one, discarded with its request."""

STARTED, MOVED = "started", "moved"
"""A project's first milestone, and the one when its variant changes; the third is EXPORTED."""


class Time(TypeDecorator[datetime]):
    """A moment in UTC: ``timestamptz`` in PostgreSQL, text as SQLite's own functions write it."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


_WITH_USER = text("user_hash IS NOT NULL")


def sqlite_time(moment: datetime) -> str:
    """A moment in UTC as `Time` is written in SQLite."""
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


SERVED = Table(
    "served",
    METADATA,
    Column("event_id", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("time", Time, nullable=False),
    Column("intent", Text, nullable=False),
    Column("output", Text),
    Column("reasoning", Text),
    Column("source", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("cached", Boolean, nullable=False),
    Column("variant", Text, nullable=False),
    Column("project_id", Text),
    Column("user_hash", Text),
    Column("experiment", Text),
    PrimaryKeyConstraint("event_id", "tool", name="served_pkey"),
    Index("served_request", "request_id"),
    Index("served_time", "time"),
    Index("served_user", "user_hash", sqlite_where=_WITH_USER, postgresql_where=_WITH_USER),
)

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("request_id", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("time", Time, nullable=False),
    Column("project_id", Text),
    Column("user_hash", Text),
    PrimaryKeyConstraint("request_id", "tool", "outcome", name="feedback_pkey"),
    Index("feedback_time", "time"),
    Index("feedback_user", "user_hash", sqlite_where=_WITH_USER, postgresql_where=_WITH_USER),
)

PROJECTS = Table(
    "projects",
    METADATA,
    Column("project_id", Text, nullable=False),
    Column("experiment", Text, nullable=False, server_default=""),
    Column("variant", Text, nullable=False),
    Column("milestone", Text, nullable=False),
    Column("time", Time, nullable=False),
    PrimaryKeyConstraint("project_id", "experiment", "milestone", name="projects_pkey"),
)

FORGOTTEN = Table(
    "forgotten",
    METADATA,
    Column("user_hash", Text, nullable=False),
    Column("time", Time, nullable=False),
    PrimaryKeyConstraint("user_hash", name="forgotten_pkey"),
)

SERVED_WITH_FEEDBACK = Table(
    "served_with_feedback",
    MetaData(),  # a view: not among the tables
    *(Column(column.name, column.type) for column in SERVED.columns if column.name != "experiment"),
    Column("exported", Integer),
    Column("discarded", Integer),
)

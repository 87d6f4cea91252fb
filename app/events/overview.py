"""What the event store holds: counted, and row by row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, distinct, func, select

from app.events.database import Database
from app.events.schema import EXPORTED, FEEDBACK, PROJECTS, SERVED, SERVED_WITH_FEEDBACK, STARTED

ROWS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class SourceCounts:
    """Served tools of one source, and how many of them were exported and discarded."""

    served: int
    exported: int
    discarded: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts of a store.

    Attributes:
        requests: that were served.
        intents: that were asked for, folded.
        sources: by who decided, ``student`` or ``teacher``.
        unmet: requests with feedback whose serve is not known, or not yet.
        shared: request ids that several different intents have in common: a caller reuses its X-Request-ID, and what
            is said of one counts for all of them.
        started, exported: projects by variant.
        first, last: when tools were served; None where none were.
    """

    requests: int
    intents: int
    sources: Mapping[str, SourceCounts]
    unmet: int
    shared: int
    started: Mapping[str, int]
    exported: Mapping[str, int]
    first: datetime | None
    last: datetime | None


def overview(database: Database) -> Overview:
    """Raises EventStoreError."""
    joined = SERVED_WITH_FEEDBACK.c
    with database.transaction(reading=True) as connection:
        requests, intents, first, last = connection.execute(
            select(
                func.count(distinct(SERVED.c.request_id)),
                func.count(distinct(SERVED.c.intent)),
                func.min(SERVED.c.time),
                func.max(SERVED.c.time),
            )
        ).one()
        sources = connection.execute(
            select(joined.source, func.count(), func.sum(joined.exported), func.sum(joined.discarded))
            .group_by(joined.source)
            .order_by(joined.source)
        )
        met = select(SERVED.c.request_id).where(SERVED.c.request_id == FEEDBACK.c.request_id).exists()
        unmet = select(func.count(distinct(FEEDBACK.c.request_id))).where(~met)
        several = (
            select(SERVED.c.request_id).group_by(SERVED.c.request_id).having(func.count(distinct(SERVED.c.intent)) > 1)
        ).subquery()
        return Overview(
            requests=requests,
            intents=intents,
            sources={source: SourceCounts(*counts) for source, *counts in sources},
            unmet=connection.scalar(unmet) or 0,
            shared=connection.scalar(select(func.count()).select_from(several)) or 0,
            started=_projects(connection, STARTED),
            exported=_projects(connection, EXPORTED),
            first=first,
            last=last,
        )


def rows(database: Database) -> Iterator[dict[str, Any]]:
    """Every served tool with what became of it, in the order of time. Raises EventStoreError."""
    with database.transaction(reading=True) as connection:
        every = select(SERVED_WITH_FEEDBACK).order_by(SERVED_WITH_FEEDBACK.c.event_id)
        for row in connection.execute(every, execution_options={"yield_per": ROWS_AT_ONCE}):
            yield row._asdict()


def _projects(connection: Connection, milestone: str) -> dict[str, int]:
    counted = (
        select(PROJECTS.c.variant, func.count().label("projects"))
        .where(PROJECTS.c.milestone == milestone)
        .group_by(PROJECTS.c.variant)
        .order_by(PROJECTS.c.variant)
    )
    return {row.variant: row.projects for row in connection.execute(counted)}

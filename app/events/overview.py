"""What the event store holds: counted, and row by row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, FromClause, distinct, func, select

from app.events.database import Database
from app.events.schema import EXPORTED, FEEDBACK, MOVED, PROJECTS, SERVED, SERVED_WITH_FEEDBACK, STARTED

ROWS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class SourceCounts:
    """Served tools of one source, and how many of them were exported and discarded."""

    served: int
    exported: int
    discarded: int


@dataclass(frozen=True, slots=True)
class ProjectCounts:
    """Projects that began under a variant, those of them that were exported, and those served under another, too.

    `experiment` is empty for projects outside of any.
    """

    experiment: str
    variant: str
    started: int
    exported: int
    moved: int


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
        projects: by experiment and variant, in the order in which experiments began.
        first, last: when tools were served; None where none were.
    """

    requests: int
    intents: int
    sources: Mapping[str, SourceCounts]
    unmet: int
    shared: int
    projects: Sequence[ProjectCounts]
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
            projects=_projects(connection),
            first=first,
            last=last,
        )


def rows(database: Database) -> Iterator[dict[str, Any]]:
    """Every served tool with what became of it, in the order of time. Raises EventStoreError."""
    with database.transaction(reading=True) as connection:
        every = select(SERVED_WITH_FEEDBACK).order_by(SERVED_WITH_FEEDBACK.c.event_id)
        for row in connection.execute(every, execution_options={"yield_per": ROWS_AT_ONCE}):
            yield row._asdict()


def projects(database: Database) -> list[ProjectCounts]:
    """By experiment and variant, in the order in which experiments began. Raises EventStoreError."""
    with database.transaction(reading=True) as connection:
        return _projects(connection)


def _projects(connection: Connection) -> list[ProjectCounts]:
    started, exported, moved = (PROJECTS.alias(name) for name in (STARTED, EXPORTED, MOVED))
    joined: FromClause = started
    for later, milestone in ((exported, EXPORTED), (moved, MOVED)):
        same = (later.c.project_id == started.c.project_id) & (later.c.experiment == started.c.experiment)
        joined = joined.outerjoin(later, same & (later.c.milestone == milestone))
    counted = (
        select(
            *(started.c.experiment, started.c.variant),
            *(func.count(), func.count(exported.c.project_id), func.count(moved.c.project_id)),
            func.min(started.c.time),
        )
        .select_from(joined)
        .where(started.c.milestone == STARTED)
        .group_by(started.c.experiment, started.c.variant)
        .order_by(started.c.experiment, started.c.variant)
    )
    found = [(ProjectCounts(*counts), began) for *counts, began in connection.execute(counted)]
    begins: dict[str, datetime] = {}
    for one, began in found:
        begins[one.experiment] = min(began, begins.get(one.experiment, began))
    return sorted((one for one, _ in found), key=lambda one: begins[one.experiment])

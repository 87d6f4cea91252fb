"""Events that must go: those that are old, and those of one user."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select, text

from app.events.database import Database
from app.events.schema import FEEDBACK, FORGOTTEN, PROJECTS, SERVED

AT_ONCE = 5000
"""Keys in one statement; when pruning in one transaction, too, lest a service that writes meanwhile waits for long."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """Rows: served tools, feedback on a tool, milestones of a project."""

    served: int
    feedback: int
    projects: int


def prune(database: Database, before: datetime) -> Deleted:
    """Delete everything older than a moment. Raises EventStoreError.

    A project that is served again after its milestones were deleted counts as started once more.
    """
    _delete_old(database, FORGOTTEN, before)
    return Deleted(*(_delete_old(database, table, before) for table in (SERVED, FEEDBACK, PROJECTS)))


def forget(database: Database, user_hash: str, now: datetime) -> Deleted:
    """Delete a user's events; those that still wait on some disk are left out when they arrive. Raises EventStoreError.

    Theirs are the events that name them, those of the same requests that name nobody, and the milestones of projects
    of which nothing else is left.
    """
    with database.transaction() as connection:
        if not database.is_sqlite:  # there, a transaction that writes is alone anyway
            # Whoever looks there before writing has written, and so is seen below, or looks when this is committed.
            connection.execute(text("LOCK TABLE forgotten IN ACCESS EXCLUSIVE MODE"))
        connection.execute(delete(FORGOTTEN).where(FORGOTTEN.c.user_hash == user_hash))
        connection.execute(insert(FORGOTTEN), {"user_hash": user_hash, "time": now})
    with database.transaction() as connection:  # another, for to look through a long log takes long
        requests: set[str] = set()
        for table in (SERVED, FEEDBACK):
            requests |= set(connection.scalars(select(table.c.request_id).where(table.c.user_hash == user_hash)))
        projects: set[str] = set()
        served, feedback = (
            _delete_of(connection, table, user_hash, requests, projects) for table in (SERVED, FEEDBACK)
        )
        return Deleted(served, feedback, _delete_abandoned(connection, projects))


def _delete_old(database: Database, table: Table, before: datetime) -> int:
    key = next(iter(table.primary_key))
    old = table.c.time < before
    some = select(key).where(old).distinct().limit(AT_ONCE).scalar_subquery()
    deleted = 0
    while True:
        with database.transaction() as connection:
            count = connection.execute(delete(table).where(old, key.in_(some))).rowcount
        if not count:
            return deleted
        deleted += count


def _delete_of(connection: Connection, table: Table, user_hash: str, requests: set[str], projects: set[str]) -> int:
    """Delete a user's rows of a table, given their requests; adds the projects that the rows were of."""
    deleted = 0
    unnamed = table.c.user_hash.is_(None)
    theirs: list[ColumnElement[bool]] = [table.c.user_hash == user_hash]
    theirs += [unnamed & table.c.request_id.in_(some) for some in _parts(requests)]
    for condition in theirs:
        projects |= set(connection.scalars(select(table.c.project_id).where(condition))) - {None}
        deleted += connection.execute(delete(table).where(condition)).rowcount
    return deleted


def _delete_abandoned(connection: Connection, projects: set[str]) -> int:
    """Delete the milestones of those of the projects of which no event is left."""
    deleted = 0
    for some in _parts(projects):
        left: set[str] = set()
        for table in (SERVED, FEEDBACK):
            left |= set(connection.scalars(select(table.c.project_id).where(table.c.project_id.in_(some)).distinct()))
        gone = sorted(set(some) - left)
        deleted += connection.execute(delete(PROJECTS).where(PROJECTS.c.project_id.in_(gone))).rowcount
    return deleted


def _parts(keys: set[str]) -> Iterator[Sequence[str]]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), AT_ONCE):
        yield ordered[start : start + AT_ONCE]

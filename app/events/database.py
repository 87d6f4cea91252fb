"""The way to the event store's database: SQLite in a file, or PostgreSQL; one transaction at a time."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from app.events.errors import EventStoreError

CONNECT_SECONDS = 5
LOCKED_SECONDS = 2
"""How long SQLite waits for another process's transaction."""

SILENT_SECONDS = 10
"""How long a PostgreSQL server that has gone without a word is believed to be there."""


class Database:
    """Connections to one database.

    Raises ValueError for a URL that names none that can be used here; nothing is opened before it is needed.
    """

    def __init__(self, url: str | URL) -> None:
        try:
            self._url = make_url(url)
        except (ArgumentError, ValueError):
            raise ValueError("RECOLOR_EVENTS_URL is no database URL, e.g. postgresql://user@host/database") from None
        self._engine = self._sqlite() if self.is_sqlite else self._postgresql()

    def __str__(self) -> str:
        """Where it is, without a password."""
        return self._url.set(query={}).render_as_string(hide_password=True)

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @contextmanager
    def transaction(self, *, reading: bool = False, seconds: float | None = None) -> Iterator[Connection]:
        """Committed at the end of the block, rolled back where it raises. `seconds` bound each PostgreSQL statement.

        A SQLite transaction that is not only `reading` waits for the others that write before it begins, so that it
        cannot fail for having begun too early. Raises EventStoreError.
        """
        try:
            if self.is_sqlite:
                Path(self._url.database or "").parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            engine = self._engine.execution_options(sqlite_begin="BEGIN" if reading else "BEGIN IMMEDIATE")
            with engine.begin() as connection:
                if seconds and not self.is_sqlite:
                    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise EventStoreError(f"{self}: {self._reason(error)}") from None

    def close(self) -> None:
        self._engine.dispose()

    def _sqlite(self) -> Engine:
        if self._url.database in (None, "", ":memory:"):
            raise ValueError("RECOLOR_EVENTS_URL: SQLite needs a file, e.g. sqlite:////var/lib/recolor/events.sqlite3")
        engine = create_engine(self._url, connect_args={"timeout": LOCKED_SECONDS}, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _postgresql(self) -> Engine:
        if self._url.get_backend_name() not in ("postgresql", "postgres"):
            raise ValueError(f"RECOLOR_EVENTS_URL: {self._url.drivername} is neither sqlite nor postgresql")
        arguments: dict[str, Any] = {
            "application_name": "recolor",
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": SILENT_SECONDS * 1000,
            "keepalives_idle": SILENT_SECONDS,
        }
        arguments = {name: value for name, value in arguments.items() if name not in self._url.query}
        try:
            return create_engine(
                self._url.set(drivername="postgresql+psycopg"), connect_args=arguments, hide_parameters=True
            )
        except ModuleNotFoundError:
            raise ValueError("RECOLOR_EVENTS_URL: PostgreSQL needs a driver: pip install 'recolor[postgres]'") from None

    def _reason(self, error: SQLAlchemyError | OSError) -> str:
        """What happened; in the database's own words only where they cannot quote an event."""
        cause = getattr(error, "orig", None) or error
        name = type(cause).__name__
        if isinstance(error, (DataError, IntegrityError)) or not isinstance(error, (DBAPIError, OSError)):
            return name
        said = (str(cause).splitlines() or [""])[0]
        for secret in {str(self._url.password or ""), quote(str(self._url.password or ""), safe="")} - {""}:
            said = said.replace(secret, "***")
        return f"{name}: {said}"


def _prepare_sqlite(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    # Python's own way of beginning transactions leaves out some statements; ours is `_begin_sqlite`.
    connection.isolation_level = None
    cursor = connection.cursor()
    _keep_a_write_ahead_log(cursor)
    # A commit is on disk; what is deleted is overwritten.
    for pragma in ("synchronous = FULL", "secure_delete = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _keep_a_write_ahead_log(cursor: DBAPICursor) -> None:
    """So that readers and the one writer do not wait for each other.

    Of several that turn a new file's log on at once, SQLite tells all but one that the file is locked, without waiting.
    """
    give_up = time.monotonic() + LOCKED_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options()["sqlite_begin"])

"""The way to a database: what URLs there are, and that errors tell enough and no more."""

import builtins
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from app.events import EventStoreError
from app.events.database import Database
from app.events.opening import open_events, open_store
from app.events.protocol import NoEvents
from app.settings import Settings


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://me:a-secret@host/events", "mysql is neither sqlite nor postgresql"),
        ("me:a-secret@host", "is no database URL"),
        ("postgresql://me:a-secret@host:port/events", "is no database URL"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        open_events(Settings(events_url=url))
    assert "RECOLOR_EVENTS_URL" in str(caught.value)
    assert "a-secret" not in str(caught.value)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_psycopg(name: str, *arguments: Any, **more: Any) -> Any:
        if name == "psycopg":
            raise ModuleNotFoundError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without_psycopg)
    with pytest.raises(ValueError, match=r"pip install 'recolor\[postgres\]'"):
        Database("postgresql://host/events")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"])
def test_postgresql_has_many_names(scheme: str) -> None:
    assert not Database(f"{scheme}://me@host/events").is_sqlite


def test_events_can_be_switched_off() -> None:
    settings = Settings(events_url="none")
    assert isinstance(open_events(settings), NoEvents)
    assert open_store(settings) is None


@pytest.mark.parametrize("secret", ["a-secret", "p%40ss%2Fword"])
def test_an_error_names_the_database_but_not_its_password(secret: str) -> None:
    database = Database(f"postgresql://me:{secret}@127.0.0.1:1/events?password={secret}&connect_timeout=2")
    with pytest.raises(EventStoreError, match=r"127\.0\.0\.1.*Connection refused") as caught, database.transaction():
        pass
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    for written in (secret, "p@ss/word"):
        assert written not in f"{caught.value} {database}"


def test_an_error_quotes_no_event(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/events.sqlite3")
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (note TEXT UNIQUE)")
        connection.exec_driver_sql("INSERT INTO notes VALUES ('my wish')")
    with pytest.raises(EventStoreError) as caught, database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO notes VALUES ('my wish')")
    assert str(caught.value).endswith("events.sqlite3: IntegrityError")


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "events.sqlite3").write_bytes(b"a text, and no database at all" * 100)
    database = Database(f"sqlite:///{tmp_path}/events.sqlite3")
    with pytest.raises(EventStoreError, match="file is not a database"), database.transaction():
        pass


def test_a_transaction_that_fails_has_done_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/events.sqlite3")
    with pytest.raises(EventStoreError), database.transaction() as connection:
        create_and_fail(connection)
    with database.transaction(reading=True) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar() == 0


def test_who_reads_and_who_writes_do_not_wait_for_each_other(tmp_path: Path) -> None:
    one, other = (Database(f"sqlite:///{tmp_path}/events.sqlite3") for _ in range(2))
    with one.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (note TEXT)")
    with one.transaction() as writing:
        writing.exec_driver_sql("INSERT INTO notes VALUES ('a')")
        with other.transaction(reading=True) as reading:
            assert reading.exec_driver_sql("SELECT count(*) FROM notes").scalar() == 0


def create_and_fail(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE notes (note TEXT)")
    connection.exec_driver_sql("INSERT INTO others VALUES (1)")

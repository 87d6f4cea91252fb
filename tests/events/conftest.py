from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.events import database as database_module
from app.events import log as log_module
from app.events import store as store_module
from app.events.database import Database
from app.events.store import EventStore
from tests.events.postgres import Cluster, cluster

PATIENCE = 120.0
"""Seconds. The machine may be busy, and its disk slow."""


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Databases and disks have all the time that they need, unless a test is about what happens when they do not."""
    for module, name in (
        (database_module, "CONNECT_SECONDS"),
        (database_module, "LOCKED_SECONDS"),
        (store_module, "WRITE_SECONDS"),
        (log_module, "CLOSE_SECONDS"),
    ):
        monkeypatch.setattr(module, name, PATIENCE)


@pytest.fixture(scope="session")
def postgres(program: Callable[[str], str]) -> Iterator[Cluster]:
    """A PostgreSQL server; whoever stops it starts it again."""
    with cluster(Path(program("initdb")).parent) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database, once in SQLite and once in PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'events.sqlite3'}"
    running: Cluster = request.getfixturevalue("postgres")
    return running.database()


@pytest.fixture
def store(url: str) -> Iterator[EventStore]:
    opened = EventStore(Database(url))
    opened.prepare()
    yield opened
    opened.close()

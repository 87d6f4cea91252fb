"""What must go is gone, and nothing else."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Table, make_url

from app.events import Feedback, retention
from app.events.database import Database
from app.events.retention import Deleted, forget, prune
from app.events.schema import FEEDBACK, PROJECTS, SERVED
from app.events.store import EventStore, moment
from tests.api.service import until
from tests.events.helpers import NOW, record, rows, serve
from tests.events.postgres import Cluster

DAY = 86_400


def names(store: EventStore, table: Table, column: str = "request_id") -> set[str]:
    return {row[column] for row in rows(store.database, table)}


def test_what_is_old_is_deleted(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    for days in range(6):
        name = f"r{days}"
        events = (serve(name, project_id=f"p{days}"), Feedback(name, "exported"))
        store.write([record(event, NOW - days * DAY) for event in events])
    assert prune(store.database, moment(NOW - 2.5 * DAY)) == Deleted(served=6, feedback=9, projects=6)
    assert names(store, SERVED) == names(store, FEEDBACK) == {"r0", "r1", "r2"}
    assert names(store, PROJECTS, "project_id") == {"p0", "p1", "p2"}
    assert prune(store.database, moment(NOW - 2.5 * DAY)) == Deleted(0, 0, 0)


def test_a_user_is_forgotten_and_nobody_else(store: EventStore) -> None:
    theirs = [
        serve("r1", user_id="ann", project_id="mine"),
        serve("r2", user_id="ann", project_id="ours"),
        Feedback("r1", "exported"),
        serve("r3", project_id="named-by-nobody"),
        Feedback("r3", "exported", user_id="ann"),
    ]
    others = [
        serve("r4", user_id="bob", project_id="ours"),
        Feedback("r4", "exported", user_id="bob"),
        serve("r1", user_id="bob"),
        serve("r5"),
        Feedback("r5", "discarded"),
    ]
    store.write([record(event) for event in theirs + others])
    deleted = forget(store.database, "ann", moment(NOW))
    assert deleted == Deleted(served=6, feedback=6, projects=4)
    assert {(row["request_id"], row["user_hash"]) for row in rows(store.database, SERVED)} == {
        ("r4", "bob"),
        ("r1", "bob"),
        ("r5", None),
    }
    assert names(store, FEEDBACK) == {"r4", "r5"}
    assert names(store, PROJECTS, "project_id") == {"ours"}
    assert forget(store.database, "ann", moment(NOW)) == Deleted(0, 0, 0)


def test_what_waited_on_a_disk_while_its_user_was_forgotten_does_not_come_back(store: EventStore) -> None:
    waiting = [record(serve("r1", user_id="ann", project_id="p")), record(Feedback("r1", "exported", user_id="ann"))]
    forget(store.database, "ann", moment(NOW))
    new = store.write([*waiting, record(serve("r2", user_id="bob"))])
    assert (new.started, new.exported) == ({}, {})
    assert names(store, SERVED) == {"r2"}
    assert names(store, FEEDBACK) == set()
    store.write([record(serve("r3", user_id="ann"), NOW + 1)])
    assert names(store, SERVED) == {"r2", "r3"}, "who comes back is welcome"


def test_of_a_user_who_is_forgotten_while_events_are_written_nothing_stays(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.database()
    store = EventStore(Database(url))
    store.prepare()
    insert, forgetting = store._insert_new, list[Future[Deleted]]()

    def after_forgetting_began(*what: Any) -> None:
        """The writer has looked for forgotten users, and has not written yet."""
        if not forgetting:
            forgetting.append(threads.submit(forget, store.database, "ann", moment(NOW)))
            with postgres.connect(make_url(url).database) as watching:
                waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                until(lambda: forgetting[0].done() or watching.execute(waits).fetchone() == (1,))
        insert(*what)

    monkeypatch.setattr(store, "_insert_new", after_forgetting_began)
    with ThreadPoolExecutor() as threads:
        store.write([record(serve("r1", user_id="ann", project_id="p"))])
    assert forgetting[0].result().served == 2
    assert names(store, SERVED) == names(store, PROJECTS, "project_id") == set()
    store.close()


def test_a_project_whose_user_is_forgotten_before_its_milestones_are_written_has_none(
    store: EventStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, begin, begun = Database(url), store.database.transaction, count()

    def transaction(**how: Any) -> Any:
        if next(begun) == 1:
            forget(other, "ann", moment(NOW))
        return begin(**how)

    monkeypatch.setattr(store.database, "transaction", transaction)
    new = store.write([record(serve("r1", user_id="ann", project_id="p"))])
    assert (new.started, names(store, PROJECTS, "project_id")) == ({}, set())
    other.close()


def test_an_empty_store_has_nothing_to_delete(store: EventStore) -> None:
    assert forget(store.database, "ann", datetime.now(UTC)) == Deleted(0, 0, 0)
    assert prune(store.database, datetime.now(UTC)) == Deleted(0, 0, 0)

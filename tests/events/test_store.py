"""The event store in real databases: every event once, joined whatever the order, projects counted once."""

import importlib
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from app.events import EventStoreError, Feedback, Serve
from app.events.database import Database
from app.events.migrate import migrate
from app.events.overview import ProjectCounts, projects
from app.events.schema import FEEDBACK, METADATA, PROJECTS, SERVED
from app.events.store import EventStore, NewProjects
from tests.events.helpers import NOW, only, record, rows, serve, verdicts

EXPORTED = Feedback("r1", "exported")


def test_every_served_tool_is_a_row_with_all_that_is_known(store: EventStore) -> None:
    store.write([record(serve(project_id="p", user_id="u"), time=0.25)])
    adjust, unused = sorted(rows(store.database), key=lambda row: row["tool"])
    assert adjust["output"].startswith('{"exposure":0,"contrast":10,"brightness":0,')
    assert adjust["time"].isoformat() == "1970-01-01T00:00:00.250000+00:00"
    known = {"request_id": "r1", "intent": "dusk", "variant": "control", "project_id": "p", "user_hash": "u"}
    assert adjust | known == adjust
    assert (adjust["source"], adjust["model"], adjust["reasoning"], adjust["cached"]) == (
        "student",
        "mini@1",
        None,
        False,
    )
    assert (unused["source"], unused["model"], unused["reasoning"], unused["output"]) == (
        "teacher",
        "large",
        "no need",
        None,
    )
    assert {adjust["event_id"]} == {unused["event_id"]}


def test_what_is_delivered_twice_is_there_once(store: EventStore) -> None:
    batch = [record(serve(project_id="p")), record(EXPORTED)]
    assert store.write(batch) == NewProjects(Counter(control=1), Counter(control=1))
    assert store.write(batch * 2) == NewProjects()
    assert (len(rows(store.database)), len(rows(store.database, FEEDBACK))) == (2, 3)


def test_feedback_is_joined_with_its_serve(store: EventStore) -> None:
    """An unused tool shares its request's export; an export outweighs what else was said."""
    discarded, kept_none, kept_all = Feedback("", "discarded"), Feedback("", "exported", ()), Feedback("", "exported")
    kept_adjust, kept_filter = Feedback("", "exported", ("adjust",)), Feedback("", "exported", ("filter",))
    nothing, exported, discarded_all = ("", ""), ("exported", "exported"), ("discarded", "discarded")
    cases = [
        ([], nothing),
        ([kept_all], exported),
        ([kept_all, kept_all], exported),
        ([kept_adjust], exported),
        ([kept_filter], ("discarded", "exported")),
        ([kept_none], ("discarded", "exported")),
        ([kept_none, kept_adjust], exported),
        ([discarded], discarded_all),
        ([discarded, kept_all], exported),
        ([discarded, kept_none], ("discarded", "exported")),
        ([replace(discarded, tools=("adjust",))], discarded_all),
    ]
    for number, (said, _) in enumerate(cases):
        name = f"r{number}"
        store.write([record(event) for event in (serve(name), *(replace(event, request_id=name) for event in said))])
    for number, (said, (used, unused)) in enumerate(cases):
        assert verdicts(store.database, f"r{number}") == {"adjust": used, "filter": unused}, said


def test_the_order_of_events_changes_nothing(store: EventStore) -> None:
    for number, order in enumerate(permutations(["serve", "exported", "discarded"])):
        name = f"r{number}"
        for event in order:
            store.write([record(serve(name) if event == "serve" else Feedback(name, event))])
        assert verdicts(store.database, name) == {"adjust": "exported", "filter": "exported"}, order


def test_a_request_that_asked_for_one_tool_has_one_row(store: EventStore) -> None:
    store.write([record(serve(tools=only("filter"))), record(EXPORTED)])
    assert verdicts(store.database) == {"filter": "exported"}


def test_a_request_id_that_is_used_again_keeps_both_serves(store: EventStore) -> None:
    store.write([record(serve(intent="dusk")), record(serve(intent="dawn"))])
    assert Counter(row["intent"] for row in rows(store.database)) == {"dusk": 2, "dawn": 2}


# Projects


def test_a_project_starts_once_and_is_exported_once(store: EventStore) -> None:
    def counts(*events: Serve | Feedback) -> tuple[dict[str, int], dict[str, int]]:
        new = store.write([record(event) for event in events])
        return dict(new.started), dict(new.exported)

    assert counts(serve("r1", project_id="p"), serve("r2", project_id="p")) == ({"control": 1}, {})
    assert counts(serve("r3", project_id="p")) == ({}, {})
    assert counts(Feedback("r2", "exported")) == ({}, {"control": 1})
    assert counts(Feedback("r3", "exported"), Feedback("r2", "exported")) == ({}, {})
    assert counts(serve("r4", project_id="o", variant="b"), serve("r5", project_id="q")) == ({"b": 1, "control": 1}, {})
    assert counts(Feedback("r5", "discarded")) == ({}, {})
    assert counts(Feedback("r5", "exported", ())) == ({}, {"control": 1}), "the project is exported, without our tools"


def test_a_project_belongs_to_the_variant_that_served_it_first(store: EventStore) -> None:
    """Where the shares change while an experiment runs, or a variant was down."""
    told = [
        serve("r1", project_id="p", experiment="e"),
        serve("r2", project_id="p", variant="b", experiment="e"),
        serve("r3", project_id="p", variant="b", experiment="e"),
        serve("r4", project_id="q", variant="b", experiment="e"),
        Feedback("r3", "exported"),
    ]
    new = [store.write([record(event, NOW + number)], "e") for number, event in enumerate(told)]
    assert [dict(one.started) for one in new] == [{"control": 1}, {}, {}, {"b": 1}, {}]
    assert [dict(one.exported) for one in new] == [{}, {}, {}, {}, {"control": 1}]
    assert projects(store.database) == [ProjectCounts("e", "b", 1, 0, 0), ProjectCounts("e", "control", 1, 1, 1)]


def test_of_serves_that_come_together_the_earliest_decides_on_the_variant(store: EventStore) -> None:
    late, early = serve("r1", project_id="p", variant="b"), serve("r2", project_id="p")
    store.write([record(late, NOW + 1), record(early, NOW)])
    assert projects(store.database) == [ProjectCounts("", "control", 1, 0, 1)]


def test_each_experiment_starts_its_projects_anew(store: EventStore) -> None:
    def write(*events: Serve | Feedback) -> NewProjects:
        return store.write([record(event) for event in events], "new")

    before = [serve("r1", project_id="p"), serve("r2", project_id="p", experiment="old", variant="b")]
    assert write(*before, Feedback("r1", "exported"), Feedback("r2", "exported")) == NewProjects(), "not of this one"
    again = serve("r3", project_id="p", experiment="new", variant="c")
    assert write(again) == NewProjects(Counter(c=1), Counter())
    assert write(serve("r4"), Feedback("r4", "exported", project_id="q")) == NewProjects(), "of none"
    assert write(Feedback("r3", "exported")) == NewProjects(Counter(), Counter(c=1))
    assert {(one.experiment, one.variant, one.started, one.exported) for one in projects(store.database)} == {
        ("", "control", 2, 2),
        ("old", "b", 1, 1),
        ("new", "c", 1, 1),
    }


def test_an_export_before_its_serve_counts_when_the_serve_comes(store: EventStore) -> None:
    assert store.write([record(EXPORTED)]) == NewProjects()
    assert store.write([record(serve(project_id="p"))]) == NewProjects(Counter(control=1), Counter(control=1))


def test_a_project_may_be_named_by_the_feedback_alone(store: EventStore) -> None:
    store.write([record(serve())])
    said = Feedback("r1", "exported", project_id="p")
    assert store.write([record(said)]) == NewProjects(Counter(control=1), Counter(control=1))


def test_an_export_of_no_project_is_of_none(store: EventStore) -> None:
    assert store.write([record(serve(project_id="")), record(EXPORTED)]) == NewProjects()


def test_replicas_that_write_at_once_lose_nothing_and_count_nothing_twice(url: str) -> None:
    """Each event goes to two of four replicas, in any order: deadlocks and double counts have their chance."""
    projects, variants = [f"p{i}" for i in range(20)], ["control", "b"]
    serves = [serve(f"r{i}", project_id=projects[i % 20], variant=variants[i % 2]) for i in range(120)]
    every = [record(event) for event in [*serves, *(Feedback(f"r{i}", "exported") for i in range(120))]]

    def replica(seed: int) -> list[NewProjects]:
        store = EventStore(Database(url))
        mine = [every[i] for i in range(len(every)) if seed in (i % 4, (i + 1) % 4)]
        random.Random(seed).shuffle(mine)
        news = []
        store.prepare()
        while mine:
            news.append(store.write(mine[:12]))
            del mine[:12]
        store.close()
        return news

    with ThreadPoolExecutor(4) as threads:
        news = [new for found in threads.map(replica, range(4)) for new in found]
    assert sum((new.started for new in news), Counter()) == {"control": 10, "b": 10}
    assert sum((new.exported for new in news), Counter()) == {"control": 10, "b": 10}
    database = Database(url)
    assert len(rows(database)) == 240
    assert all(row["exported"] for row in rows(database))
    database.close()


# Tables


def test_a_new_file_can_be_opened_by_many_at_once(tmp_path: Path) -> None:
    """SQLite does not wait while its write-ahead log is turned on: it says that the file is locked."""

    def write(database: Database) -> None:
        together.wait()
        with database.transaction() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS some (thing)"))

    replicas = 4
    together = threading.Barrier(replicas)
    with ThreadPoolExecutor(replicas) as threads:
        for n in range(50):
            databases = [Database(f"sqlite:///{tmp_path}/{n}.sqlite3") for _ in range(replicas)]
            list(threads.map(write, databases))
            for database in databases:
                database.close()


def test_replicas_that_start_at_once_migrate_once(url: str) -> None:
    def start(_: int) -> None:
        store = EventStore(Database(url))
        store.prepare()
        store.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(start, range(4)))
    database = Database(url)
    with database.transaction() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    database.close()


def test_projects_of_the_version_before_experiments_are_kept_and_it_can_go_on_writing(url: str) -> None:
    database = Database(url)
    insert = text(
        "INSERT INTO projects (project_id, variant, milestone, time) VALUES (:project, :variant, :milestone, :time) "
        "ON CONFLICT DO NOTHING"
    )

    def reach(connection: Connection, project: str, variant: str, milestone: str, hour: int) -> None:
        time = f"2026-01-01 {hour:02}:00:00.000000{'' if database.is_sqlite else '+00'}"
        connection.execute(insert, {"project": project, "variant": variant, "milestone": milestone, "time": time})

    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('0001')"))
        first = importlib.import_module("app.events.migrations.versions.first")
        with Operations.context(MigrationContext.configure(connection)):
            first.upgrade()
        reach(connection, "p", "b", "started", 2)
        reach(connection, "p", "control", "started", 1)
        reach(connection, "p", "control", "exported", 3)
        if not database.is_sqlite:
            connection.execute(text("GRANT SELECT ON projects TO pg_monitor"))
    assert migrate(database) == "migrated from 0001 to 0002"
    with database.transaction() as connection:
        reach(connection, "p", "b", "exported", 4)
        reach(connection, "q", "control", "started", 4)
        if not database.is_sqlite:
            granted = text("SELECT has_table_privilege('pg_monitor', 'projects', 'SELECT')")
            assert connection.scalar(granted), "a dashboard may still read what it could read"
    assert projects(database) == [ProjectCounts("", "control", 2, 1, 0)]
    database.close()


def test_the_migrations_lead_to_the_tables_that_are_written(store: EventStore) -> None:
    with store.database.transaction() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_a_store_of_a_later_version_is_written_to_and_left_as_it_is(store: EventStore) -> None:
    with store.database.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("ALTER TABLE served ADD COLUMN later TEXT"))
    assert "9999 is of a later version" in migrate(store.database)
    store.write([record(serve())])
    assert len(rows(store.database)) == 2
    with store.database.transaction() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


@hypothesis_settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec=None, categories=None), max_size=40))
def test_any_text_can_be_kept(store: EventStore, anything: str) -> None:
    """NUL and lone surrogates, which databases refuse, become replacement characters."""
    told = serve(tools=[*only("filter")], request_id=anything, intent=anything, project_id=anything)
    store.write([record(told), record(Feedback(anything, "exported", project_id=anything))])
    kept = "".join("?" if "\ud800" <= c <= "\udfff" else "\ufffd" if c == "\x00" else c for c in anything)
    found = [row for row in rows(store.database) if row["intent"] == kept]
    assert found
    assert all((row["request_id"], row["project_id"], row["exported"]) == (kept, kept, 1) for row in found)


def test_a_batch_is_kept_whole_or_not_at_all(store: EventStore) -> None:
    with store.database.transaction() as connection:
        connection.execute(text("DROP TABLE feedback" + ("" if store.database.is_sqlite else " CASCADE")))
    with pytest.raises(EventStoreError):
        store.write([record(serve(project_id="p")), record(EXPORTED)])
    assert rows(store.database, SERVED) == rows(store.database, PROJECTS) == []

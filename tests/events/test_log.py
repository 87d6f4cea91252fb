"""The event log over real stores and disks that go away while it works."""

import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from structlog.testing import capture_logs

from app.events import Events, EventsFull, EventStoreError, Feedback
from app.events import database as database_module
from app.events import log as log_module
from app.events.database import Database
from app.events.opening import open_events
from app.events.record import Entry, line_of
from app.events.schema import FEEDBACK
from tests.api.service import until
from tests.events.helpers import NOW, event_log, full_disk, rows, serve, settings, spooled, verdicts
from tests.events.postgres import Cluster
from tests.serving.helpers import Counted, metric


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be tried again in seconds is tried again at once."""
    monkeypatch.setattr(log_module, "RETRY_SECONDS", 0.02)


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs() as captured:
        yield captured


def hand_over(log: Events, *numbers: int) -> None:
    for number in numbers:
        log.served(serve(f"r{number}", project_id=f"p{number}"))
        log.feedback(Feedback(f"r{number}", "exported"))


def requests(url: str) -> Counter[str]:
    """How often the store has each request's first tool."""
    database = Database(url)
    try:
        return Counter(row["request_id"] for row in rows(database) if row["tool"] == "adjust")
    except EventStoreError:
        return Counter()  # not there, or nothing in it yet
    finally:
        database.close()


def once(*numbers: int) -> Counter[str]:
    return Counter(f"r{number}" for number in numbers)


def wait_until_on_disk(folder: Path, count: int) -> None:
    until(lambda: spooled(folder) >= count)


def alarms(logs: list[Any]) -> list[str]:
    return [line["event"] for line in logs if line["log_level"] == "error"]


def test_everything_is_stored_when_it_is_closed(url: str, tmp_path: Path) -> None:
    started = Counted("recolor_projects_started_total", variant="control")
    exported = Counted("recolor_projects_exported_total", variant="control")
    written = Counted("recolor_stage_duration_seconds_count", stage="events", model="scripted@1")
    with event_log(tmp_path, url, events_flush_seconds=600) as log:
        hand_over(log, *range(2500))
    assert requests(url) == once(*range(2500))
    assert (started.growth, exported.growth) == (2500, 2500)
    assert written.growth >= 1
    assert list(tmp_path.glob("spool/*/*")) == []


def test_events_arrive_while_it_runs(url: str, tmp_path: Path) -> None:
    with event_log(tmp_path, url) as log:
        hand_over(log, 1)
        until(lambda: metric("recolor_events_spooled") == 0 and requests(url) == once(1))


def test_without_a_url_events_are_in_a_file_of_the_folder(tmp_path: Path) -> None:
    with event_log(tmp_path / "new" / "folder") as log:
        hand_over(log, 1)
    assert requests(f"sqlite:///{tmp_path}/new/folder/events.sqlite3") == once(1)


def test_what_one_process_leaves_the_next_delivers(url: str, tmp_path: Path, logs: list[Any]) -> None:
    with event_log(tmp_path, "sqlite:////proc/none/events.sqlite3") as log:
        hand_over(log, 1, 2)
    assert spooled(tmp_path) == 4
    assert [line["events"] for line in logs if "stay on disk" in line["event"]] == [4]
    with event_log(tmp_path, url) as log:
        hand_over(log, 3)
    assert requests(url) == once(1, 2, 3)


# Users


def test_users_are_stored_by_their_hash(tmp_path: Path) -> None:
    with event_log(tmp_path, events_user_key="key") as log:
        log.served(serve(user_id="somebody"))
        log.served(serve(user_id="somebody"))
        log.served(serve(user_id="another"))
        log.served(serve(user_id=""))
        log.feedback(Feedback("r1", "exported", user_id="somebody"))
    database = Database(f"sqlite:///{tmp_path}/events.sqlite3")
    served, said = ({row["user_hash"] for row in rows(database, *table)} for table in ((), (FEEDBACK,)))
    database.close()
    assert len(served) == 3
    assert None in served
    assert said < served
    assert b"somebody" not in b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


def test_without_a_key_no_user_is_stored_and_it_is_said_once(tmp_path: Path, logs: list[Any]) -> None:
    with event_log(tmp_path) as log:
        for _ in range(3):
            log.served(serve(user_id="somebody"))
    database = Database(f"sqlite:///{tmp_path}/events.sqlite3")
    assert {row["user_hash"] for row in rows(database)} == {None}
    database.close()
    assert [line["log_level"] for line in logs if "RECOLOR_EVENTS_USER_KEY" in str(line)] == ["warning"]
    assert "somebody" not in str(logs)


# A store that fails


def test_a_server_that_stops_and_starts_again_gets_every_event_once(
    postgres: Cluster, tmp_path: Path, logs: list[Any]
) -> None:
    url = postgres.database()
    with event_log(tmp_path, url) as log:
        hand_over(log, 1, 2)
        until(lambda: requests(url) == once(1, 2))
        postgres.stop()
        try:
            hand_over(log, 3, 4)
            until(lambda: metric("recolor_events_spooled") == 4)
            hand_over(log, 5)
            until(lambda: metric("recolor_events_spooled") == 6)
            assert spooled(tmp_path) >= 6
        finally:
            postgres.start()
        hand_over(log, 6)
        until(lambda: requests(url) == once(1, 2, 3, 4, 5, 6))
    assert alarms(logs) == ["the event store fails"], "one alarm for one outage"
    assert [line["event"] for line in logs if "again" in line["event"]] == ["the event store works again"]
    assert "a-secret" not in str(logs), "nor its password"


def test_a_server_that_is_down_at_the_start_is_waited_for(postgres: Cluster, tmp_path: Path) -> None:
    url = postgres.database()
    postgres.stop()
    try:
        log = open_events(settings(tmp_path, url))
        log.start()
        hand_over(log, 1)
        until(lambda: spooled(tmp_path) == 2)
    finally:
        postgres.start()
    until(lambda: metric("recolor_events_spooled") == 0)
    log.close()
    assert requests(url) == once(1)


def test_a_slow_server_delays_no_event_on_its_way_to_the_disk(postgres: Cluster, tmp_path: Path) -> None:
    url = postgres.database()
    with event_log(tmp_path, url) as log:
        hand_over(log, 1)
        until(lambda: requests(url) == once(1))
        with postgres.connect(make_url(url).database) as other, other.transaction():
            other.execute("LOCK TABLE served IN ACCESS EXCLUSIVE MODE")
            hand_over(log, 2)
            until(lambda: spooled(tmp_path) == 4)
            hand_over(log, 3)
            until(lambda: spooled(tmp_path) == 6)
    assert requests(url) == once(1, 2, 3)


def test_a_server_that_hangs_does_not_hold_up_the_end(
    postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.database()
    with event_log(tmp_path, url):
        pass
    with postgres.connect(make_url(url).database) as other, other.transaction():
        other.execute("LOCK TABLE served IN ACCESS EXCLUSIVE MODE")
        with monkeypatch.context() as patch, event_log(tmp_path, url) as log:
            hand_over(log, 1)
            until(lambda: metric("recolor_events_spooled") == 2)
            patch.setattr(log_module, "CLOSE_SECONDS", 0.05)
    assert spooled(tmp_path) == 2
    # What it was about to write it writes now, and the next writes it again; it must not be there in the next test.
    until(lambda: "events-delivery" not in {thread.name for thread in threading.enumerate()})
    with event_log(tmp_path, url):
        pass
    assert requests(url) == once(1)


def test_a_locked_file_is_waited_for(tmp_path: Path, logs: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/events.sqlite3"
    with event_log(tmp_path, url) as log:
        hand_over(log, 1)
    other = sqlite3.connect(tmp_path / "events.sqlite3", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(database_module, "LOCKED_SECONDS", 0.05)
    with event_log(tmp_path, url) as log:
        hand_over(log, 2)
        until(lambda: alarms(logs) != [] and spooled(tmp_path) == 2)
        other.execute("ROLLBACK")
        other.close()
        until(lambda: metric("recolor_events_spooled") == 0)
    assert requests(url) == once(1, 2)
    assert alarms(logs) == ["the event store fails"]
    assert "database is locked" in str(logs)


def test_tables_that_are_gone_for_a_while_are_waited_for(url: str, tmp_path: Path, logs: list[Any]) -> None:
    database = Database(url)
    with event_log(tmp_path, url) as log:
        hand_over(log, 1)
        until(lambda: metric("recolor_events_spooled") == 0 and requests(url) == once(1))
        with database.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE feedback RENAME TO taken")
        hand_over(log, 2)
        until(lambda: alarms(logs) != [])
        with database.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE taken RENAME TO feedback")
    assert requests(url) == once(1, 2)
    assert verdicts(database, "r2") == {"adjust": "exported", "filter": "exported"}
    database.close()


def test_a_full_database_costs_nothing_while_the_spool_has_room(tmp_path: Path, logs: list[Any]) -> None:
    url = f"sqlite:///{tmp_path}/events.sqlite3"
    with event_log(tmp_path, url) as log:
        hand_over(log, 1)
        until(lambda: requests(url) == once(1))
        with full_disk(after=16_384):
            hand_over(log, *range(2, 12))
            until(lambda: alarms(logs) != [] and spooled(tmp_path) >= 20)
    assert requests(url) == once(*range(1, 12))


# No room


def test_when_the_spool_is_full_serves_are_dropped_and_feedback_is_refused(
    postgres: Cluster, tmp_path: Path, logs: list[Any]
) -> None:
    """What was taken is kept; what comes later is refused until there is room again."""
    url = postgres.database()
    dropped = Counted("recolor_rejected_total", reason="events_dropped")
    with event_log(tmp_path, url, events_spool_bytes=65_536) as log:
        postgres.stop()
        taken = 0
        try:
            while True:
                log.served(serve(f"r{taken}", intent="x" * 4000))
                if dropped.growth:
                    break
                taken += 1
                wait_until_on_disk(tmp_path, taken)
            with pytest.raises(EventsFull):
                log.feedback(Feedback("r1", "exported"))
            assert 65_536 <= sum(path.stat().st_size for path in tmp_path.glob("spool/*/*.jsonl")) < 80_000
        finally:
            postgres.start()
        until(lambda: metric("recolor_events_spooled") == 0)
        log.feedback(Feedback("r1", "exported"))
    assert requests(url) == once(*range(taken))
    assert dropped.growth == 1
    assert alarms(logs).count("taking events fails") == 1


def test_when_the_queue_is_full_new_events_are_refused(tmp_path: Path) -> None:
    dropped = Counted("recolor_rejected_total", reason="events_dropped")
    with event_log(tmp_path, events_queue=4, events_flush_seconds=600) as log:
        hand_over(log, 1, 2)
        log.served(serve("r3"))
        with pytest.raises(EventsFull):
            log.feedback(Feedback("r1", "discarded"))
    assert dropped.growth == 1
    assert requests(f"sqlite:///{tmp_path}/events.sqlite3") == once(1, 2)


# A disk that fails


def test_where_the_disk_is_full_events_go_to_the_store_directly(
    postgres: Cluster, tmp_path: Path, logs: list[Any]
) -> None:
    url = postgres.database()
    with event_log(tmp_path, url) as log:
        with full_disk():
            hand_over(log, 1, 2)
            until(lambda: requests(url) == once(1, 2))
        hand_over(log, 3)
    assert requests(url) == once(1, 2, 3)
    assert alarms(logs) == ["the disk for events fails"]


def test_where_disk_and_store_fail_events_wait_in_memory(tmp_path: Path, logs: list[Any]) -> None:
    url = f"sqlite:///{tmp_path}/events.sqlite3"
    with event_log(tmp_path, url) as log:
        with full_disk():
            hand_over(log, 1, 2)
            until(lambda: len(alarms(logs)) == 2)
        until(lambda: requests(url) == once(1, 2))
    assert sorted(alarms(logs)) == ["the disk for events fails", "the event store fails"]


def test_what_is_lost_in_the_end_is_counted_and_said(tmp_path: Path, logs: list[Any]) -> None:
    lost = Counted("recolor_rejected_total", reason="events_dropped")
    (tmp_path / "file").write_text("")
    with event_log(tmp_path / "file" / "folder") as log:
        hand_over(log, 1, 2)
    assert lost.growth == 4
    assert [line["events"] for line in logs if line["event"].startswith("events are lost")] == [4]


def test_what_a_slow_disk_writes_after_the_end_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logs: list[Any]
) -> None:
    url, fsync, go_on = f"sqlite:///{tmp_path}/events.sqlite3", os.fsync, threading.Event()

    def slow(file: int) -> None:
        go_on.wait()
        fsync(file)

    with monkeypatch.context() as patch, event_log(tmp_path, url) as log:
        hand_over(log, 1)
        until(lambda: requests(url) == once(1) and metric("recolor_events_spooled") == 0)
        patch.setattr(os, "fsync", slow)
        hand_over(log, 2)
        until(lambda: spooled(tmp_path) > 2)
        patch.setattr(log_module, "CLOSE_SECONDS", 0.05)
    go_on.set()
    until(lambda: not {"events-journal", "events-delivery"} & {thread.name for thread in threading.enumerate()})
    assert spooled(tmp_path) == 4
    assert alarms(logs) == ["events are lost: the disk does not answer"]


def test_a_damaged_event_is_counted_and_said_and_costs_no_other(tmp_path: Path, logs: list[Any]) -> None:
    damaged = Counted("recolor_rejected_total", reason="events_damaged")
    dead = tmp_path / "spool" / ("0" * 32)
    dead.mkdir(parents=True)
    good = [line_of(Entry(serve(f"r{number}"), NOW, None)) for number in (1, 2)]
    (dead / "00000001.jsonl").write_bytes(b"\n".join([good[0], b"\x00" * 50, good[1], good[0][:50]]))
    with event_log(tmp_path):
        pass
    assert requests(f"sqlite:///{tmp_path}/events.sqlite3") == once(1, 2)
    assert damaged.growth == 1
    assert [line["bytes"] for line in logs if "damaged" in line["event"] or "to its end" in line["event"]] == [50, 50]

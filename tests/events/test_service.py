"""What a service writes of what it serves, over real HTTP; and what is left of it when it is killed."""

import json
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import httpx

from app.events.database import Database
from app.events.opening import open_events
from app.grade import TOOLS
from app.students import Answer
from tests.api.service import Service, assert_error, served, until
from tests.api.test_process import ask, process
from tests.events.helpers import rows, settings, verdicts
from tests.events.postgres import Cluster
from tests.serving.engines import ScriptedEngine, look
from tests.serving.helpers import Counted
from tests.serving.teachers import LESSON, ScriptedTeacher


@contextmanager
def recorded(folder: Path, url: str = "", **parts: Any) -> Iterator[Service]:
    """A service with a real event log."""
    with served(events=open_events(settings(folder, url, events_user_key="key")), **parts) as service:
        yield service


def stored(folder: Path) -> list[dict[str, Any]]:
    database = Database(f"sqlite:///{folder}/events.sqlite3")
    try:
        return rows(database)
    finally:
        database.close()


def in_folder(folder: Path, flush: float) -> dict[str, str]:
    """The environment of a process with events."""
    return {
        "RECOLOR_EVENTS_URL": "",
        "RECOLOR_EVENTS_FOLDER": str(folder),
        "RECOLOR_EVENTS_FLUSH_SECONDS": str(flush),
        "RECOLOR_RATE_LIMIT": "none",
        "RECOLOR_DEADLINE_SECONDS": "240",
        "RECOLOR_STUDENT_SECONDS": "120",
        # Nobody reads along: a full pipe would stop the process.
        "RECOLOR_LOG_LEVEL": "warning",
    }


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else can write to the database in this block."""
    with closing(sqlite3.connect(folder / "events.sqlite3", timeout=60, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def spooled_requests(folder: Path) -> set[str]:
    """The requests whose events are on disk, as far as their lines are whole."""
    lines = [line for path in folder.glob("spool/*/*.jsonl") for line in path.read_bytes().split(b"\n")[:-1]]
    return {json.loads(line)["request_id"] for line in lines}


def by_tool(found: list[dict[str, Any]], request_id: str) -> dict[str, dict[str, Any]]:
    return {row["tool"]: row for row in found if row["request_id"] == request_id}


def test_every_served_tool_is_recorded(tmp_path: Path) -> None:
    with recorded(tmp_path) as service:
        answer = service.recolor("Golden  Hour", project_id="p", user_id="somebody").json()
    found = stored(tmp_path)
    assert by_tool(found, answer["request_id"]).keys() == set(TOOLS)
    for row in found:
        settings = look("golden hour", row["tool"])
        assert row["output"] == (settings and settings.model_dump_json())
        assert (row["intent"], row["source"], row["model"], row["variant"], row["project_id"], row["cached"]) == (
            *("golden hour", "student", "scripted@1", "control", "p"),
            False,
        )
        assert row["user_hash"] not in (None, "somebody")


def test_only_tools_that_were_asked_for_and_decided_are_recorded(tmp_path: Path) -> None:
    unread = {("odd", tool): Answer(None) for tool in TOOLS}
    failed = {("dusk", "filter"): Answer("<vivid><9999>")}
    with recorded(tmp_path, engine=ScriptedEngine(script=unread | failed)) as service:
        service.recolor("dusk", headers={"X-Request-ID": "failed"})
        service.recolor("dawn", tools=["filter"], headers={"X-Request-ID": "one"})
        service.recolor("odd", headers={"X-Request-ID": "none"})
        service.recolor("")
    found = stored(tmp_path)
    assert by_tool(found, "failed").keys() == {"adjust", "selective_adjust"}
    assert by_tool(found, "one").keys() == {"filter"}
    assert len(found) == 3


def test_the_teachers_reasoning_is_recorded_once_and_a_cache_hit_is_a_serve(tmp_path: Path) -> None:
    engine = ScriptedEngine(script={("odd", "filter"): Answer(None)})
    with recorded(tmp_path, engine=engine, teacher=ScriptedTeacher()) as service:
        for name in ("first", "again"):
            service.recolor("odd", headers={"X-Request-ID": name})
    first, again = (by_tool(stored(tmp_path), name) for name in ("first", "again"))
    lesson = LESSON["filter"]
    assert lesson
    for row in (first["filter"], again["filter"]):
        assert (row["source"], row["model"], row["output"]) == ("teacher", "gpt-3.5-turbo", lesson.model_dump_json())
    assert (first["filter"]["reasoning"], first["adjust"]["reasoning"]) == ("because", None)
    assert again["filter"]["reasoning"] is None
    assert [row["cached"] for row in first.values()] == [False] * 3
    assert [row["cached"] for row in again.values()] == [True] * 3


def test_feedback_to_another_replica_is_joined_with_the_serve(postgres: Cluster, tmp_path: Path) -> None:
    url = postgres.database()
    with recorded(tmp_path / "a", url) as one, recorded(tmp_path / "b", url) as other:
        answer = one.recolor("dusk").json()
        said = {"request_id": answer["request_id"], "event": "exported", "tools": ["filter", "adjust"]}
        assert other.client.post("/feedback", json=said).status_code == 202
        assert one.client.post("/feedback", json=said).status_code == 202
    database = Database(url)
    assert verdicts(database, answer["request_id"])["filter"] == "exported"
    database.close()


def test_without_room_feedback_is_refused_and_looks_are_still_answered(tmp_path: Path) -> None:
    refused = Counted("recolor_rejected_total", reason="events_full")
    log = open_events(settings(tmp_path, events_queue=1, events_flush_seconds=600))
    with served(events=log) as service:
        assert [service.recolor(look).status_code for look in ("a", "b", "c")] == [200] * 3
        response = service.client.post("/feedback", json={"request_id": "r", "event": "exported"})
        assert_error(response, 503, "unavailable")
        assert int(response.headers["retry-after"]) >= 1
    assert refused.growth == 1
    assert len({row["request_id"] for row in stored(tmp_path)}) == 1


# As a process


def test_two_processes_on_one_folder_have_written_everything_when_they_end(tmp_path: Path) -> None:
    with process(**in_folder(tmp_path, flush=600)) as one, process(**in_folder(tmp_path, flush=600)) as other:
        urls = [one.wait_until_ready(), other.wait_until_ready()]
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda number: ask(urls[number % 2], f"look {number}").json(), range(20)))
        said = {"request_id": answers[0]["request_id"], "event": "exported"}
        assert [httpx.post(f"{url}/feedback", json=said).status_code for url in urls] == [202, 202]
        assert [running.end(signal.SIGTERM)[0] for running in (one, other)] == [0, 0]
    found = stored(tmp_path)
    assert Counter(row["request_id"] for row in found) == {answer["request_id"]: 3 for answer in answers}
    assert {row["request_id"] for row in found if row["exported"]} == {answers[0]["request_id"]}
    assert list(tmp_path.glob("spool/*/*")) == []


def test_a_process_that_is_killed_loses_only_the_last_moment(tmp_path: Path) -> None:
    """Under load, and with a database that is locked, so that everything is on disk only."""
    flush = 0.2
    with process(**in_folder(tmp_path, flush=flush)) as running:
        url = running.wait_until_ready()
        answered: list[str] = []

        def keep_asking(worker: int) -> None:
            with httpx.Client(base_url=url, timeout=60) as client:
                for number in range(100_000):
                    name = f"{worker}-{number}"
                    try:
                        client.post("/recolor", json={"intent": "dusk"}, headers={"X-Request-ID": name})
                    except httpx.HTTPError:
                        return
                    answered.append(name)

        with ThreadPoolExecutor(3) as threads:
            asking = [threads.submit(keep_asking, worker) for worker in range(3)]
            until(lambda: len(answered) > 200)
            with locked(tmp_path):
                before = len(answered)
                until(lambda: len(answered) > before + 200)
                kept = set(answered)
                stored_before = {row["request_id"] for row in stored(tmp_path)}
                began = monotonic()
                until(lambda: kept <= spooled_requests(tmp_path) | stored_before)
                assert monotonic() - began < flush + 10, "the window, and what a busy machine adds"
                on_disk = spooled_requests(tmp_path)
                running.process.send_signal(signal.SIGKILL)
                running.process.wait()
            for worker in asking:
                worker.result()
    with process(**in_folder(tmp_path, flush=flush)) as running:
        running.wait_until_ready()
        running.end(signal.SIGTERM)
    counts = Counter(row["request_id"] for row in stored(tmp_path))
    assert set(counts.values()) == {3}, "each tool once"
    assert on_disk <= counts.keys(), "what was on disk is in the store"
    assert kept <= counts.keys(), "what was answered a moment before is in the store"
    assert list(tmp_path.glob("spool/*/*")) == []


def test_a_store_that_cannot_be_is_named_at_the_start() -> None:
    with process(RECOLOR_EVENTS_URL="mysql://me:a-secret@host/events") as running:
        code, _, err = running.end()
    assert code == 1
    assert err.splitlines()[-1] == "recolor: RECOLOR_EVENTS_URL: mysql is neither sqlite nor postgresql"
    assert "a-secret" not in err

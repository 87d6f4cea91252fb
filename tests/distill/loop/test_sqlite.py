"""`recolor collect` on the event store of SQLite: what it holds is read whole, at one moment, whatever it is."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.distill.collect import log as logs
from app.distill.collect.collecting import Collection, collect
from app.distill.collect.errors import LogError
from app.distill.collect.log import open_log
from app.distill.collect.rule import FEEDBACK, SERVED, Rule
from tests.distill.loop.logs import BRIGHT, DIM, Said, Tool, request, stored, together


def collected(file: Path) -> Collection:
    with open_log(str(file)) as log:
        return collect(log, Rule())


def rows(file: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The two tables as the rule sees them, in an order of their own."""
    with open_log(str(file)) as log:
        assert log.feedback is not None
        served = log.served.order_by("event_id", "tool").to_pyarrow().to_pylist()
        return served, log.feedback.order_by(*FEEDBACK).to_pyarrow().to_pylist()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.sqlite3"


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as store, store:
        for statement in statements:
            store.execute(statement)


def test_every_row_comes_as_it_was_written_whichever_batch_it_falls_into(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "ROWS_AT_ONCE", 500)
    # None of the first two thousand outputs is a text.
    tools = [Tool(f"{n:05}", "adjust", f"dusk {n}", None if n < 2000 else DIM, second=n) for n in range(3001)]
    said = [Said(f"{n:05}", "adjust", ("exported", "removed")[n % 2]) for n in range(1001)]
    stored(f"sqlite:///{file}", tools, said)
    served, feedback = rows(file)
    assert served == [{name: plain(tool)[name] for name in SERVED} for tool in tools]
    assert feedback == [{name: row.row()[name] for name in FEEDBACK} for row in said]


def plain(tool: Tool) -> dict[str, Any]:
    row = tool.row()
    return row | {"time": row["time"].replace(tzinfo=None)}


def test_texts_of_any_kind_and_length_come_whole(file: Path) -> None:
    texts = ["a\0b", "\0", "\x01'\"\\;--", "🌅 düsk 黄昏 \u202e", "x" * 3_000_000, "\ufeff\ufffe\U0010ffff"]
    stored(f"sqlite:///{file}", [Tool(f"{n}", "adjust", text, text) for n, text in enumerate(texts)], [])
    served, _ = rows(file)
    assert [(row["intent"], row["output"]) for row in served] == [(text, text) for text in texts]


def test_a_store_without_rows_is_an_empty_log(file: Path) -> None:
    stored(f"sqlite:///{file}", [], [])
    assert rows(file) == ([], [])
    assert collected(file).funnel.calls == 0


def test_values_that_are_no_text_are_counted_and_the_rest_is_used(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "ROWS_AT_ONCE", 5)
    events = [request(str(n), f"dusk {n}", BRIGHT, exported=True) for n in range(10)]
    stored(f"sqlite:///{file}", *together(*events))
    change(
        file,
        "UPDATE served SET intent = x'fffe' WHERE event_id = '1' AND tool = 'adjust'",
        "UPDATE served SET intent = CAST(x'80' AS TEXT) WHERE event_id = '2' AND tool = 'adjust'",
        "UPDATE served SET time = 'yesterday' WHERE event_id = '3' AND tool = 'adjust'",
        "UPDATE served SET time = 20260301 WHERE event_id = '4' AND tool = 'adjust'",
        "UPDATE served SET time = x'ff' WHERE event_id = '5' AND tool = 'adjust'",
        "UPDATE served SET tool = x'ff' WHERE event_id = '6' AND tool = 'adjust'",
        "UPDATE served SET tool = 7 WHERE event_id = '7' AND tool = 'adjust'",
        "UPDATE served SET output = x'ff' WHERE event_id = '8' AND tool = 'adjust'",
        "UPDATE served SET intent = 9 WHERE event_id = '9'",
        "UPDATE feedback SET outcome = x'ff' WHERE request_id = 'r3' AND tool = 'adjust'",
    )
    found = collected(file)
    assert [row["intent"] for row in found.dataset] == ["9", "dusk 0"]
    assert found.problems == {
        "served tools that do not exist": 1,
        "served tools with something missing or unreadable": 6,
        "different outputs that no tool takes": 1,
        "rows of feedback that cannot be read": 1,
    }


def test_an_output_that_cannot_be_read_is_not_taken_for_an_unused_tool(file: Path) -> None:
    stored(f"sqlite:///{file}", *request("1", "dusk", DIM, exported=True))
    change(file, "UPDATE served SET output = x'ff' WHERE tool = 'adjust'")
    assert collected(file).dataset == []


WRITER = """
import itertools, sqlite3, sys
store = sqlite3.connect(sys.argv[1])
for number in itertools.count():
    with store:
        store.execute("INSERT INTO served (event_id, tool, request_id, time, intent, source, model, cached, variant)"
            " VALUES (?, 'adjust', ?, '2026-03-01 00:00:00.000000', 'dawn', 'teacher', 'large', 0, 'control')",
            (f"e{number}", f"n{number}"))
        store.execute("INSERT INTO feedback (request_id, tool, outcome, time)"
            " VALUES (?, 'adjust', 'exported', '2026-03-01 00:00:00.000000')", (f"n{number}",))
    print(number, flush=True)
"""
HOLDER = """
import sqlite3, sys, time
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("PRAGMA journal_mode = DELETE")
store.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.readline()
time.sleep(1)
"""


@contextmanager
def another(program: str, file: Path) -> Iterator[Any]:
    """A process that works on the file, once it has begun."""
    command = [sys.executable, "-c", program, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        try:
            running.stdout.readline()
            yield running
        finally:
            running.kill()


def test_both_tables_are_of_one_moment_while_a_service_writes(file: Path) -> None:
    # Every new serve has its export in the same transaction.
    tools = [Tool(f"{n}", "adjust", "dusk", DIM) for n in range(10_000)]
    stored(f"sqlite:///{file}", tools, [])
    with another(WRITER, file) as writer:
        for _ in range(2):
            found = collected(file)
            assert found.problems == {}
            begun = found.funnel.calls - len(tools)
            assert begun > 0
            while int(writer.stdout.readline()) < begun:  # until one that was not there yet
                pass


def test_a_file_that_is_another_process_s_alone_for_a_moment_is_waited_for(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(f"sqlite:///{file}", *request("1", "dusk", DIM, exported=True))
    connect = logs.dbapi.connect
    with another(HOLDER, file) as holder:

        def connect_and_tell(*args: Any, **kwargs: Any) -> Any:
            print("soon", file=holder.stdin, flush=True)
            return connect(*args, **kwargs)

        monkeypatch.setattr(logs, "LOCKED_SECONDS", 120)
        monkeypatch.setattr(logs.dbapi, "connect", connect_and_tell)
        assert collected(file).funnel.kept == 1


def test_one_that_stays_another_process_s_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOCKED_SECONDS", 0)
    stored(f"sqlite:///{file}", [], [])
    with another(HOLDER, file), pytest.raises(LogError, match="locked"):
        collected(file)


def test_a_damaged_file_is_one_clear_line(file: Path) -> None:
    stored(f"sqlite:///{file}", [Tool(f"{n}", "adjust", "dusk", DIM) for n in range(5000)], [])
    whole = file.read_bytes()
    file.write_bytes(whole[:8192] + bytes(len(whole) - 8192))
    with pytest.raises(LogError, match="malformed"):
        collected(file)


@pytest.mark.parametrize("name", ["a b.sqlite3", "50%20?x=1#.sqlite3", "день.sqlite3"])
def test_the_file_may_have_any_name(name: str, tmp_path: Path) -> None:
    stored(f"sqlite:///{tmp_path / 'events.sqlite3'}", *request("1", "dusk", DIM, exported=True))
    (tmp_path / "events.sqlite3").rename(tmp_path / name)
    assert collected(tmp_path / name).funnel.kept == 1

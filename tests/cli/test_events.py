"""`recolor events`, and that the other commands leave no events."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.events import Feedback
from app.events import log as log_module
from app.events.opening import open_events
from app.settings import Settings
from tests.cli.conftest import recolor
from tests.cli.test_cli import refused
from tests.events.helpers import serve


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECOLOR_EVENTS_FOLDER", str(tmp_path / "events"))
    monkeypatch.setenv("RECOLOR_EVENTS_USER_KEY", "key")
    return tmp_path / "events"


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two requests of two users; the first was exported."""
    monkeypatch.setattr(log_module, "CLOSE_SECONDS", 120)  # the machine may be busy
    log = open_events(Settings())
    log.start()
    log.served(serve("r1", project_id="p1", user_id="ann"))
    log.served(serve("r2", project_id="p2", user_id="bob"))
    log.feedback(Feedback("r1", "exported"))
    log.close()


@pytest.mark.usefixtures("filled")
def test_stats_are_a_table_or_json() -> None:
    table = recolor("events", "stats").stdout
    for row in (
        ("requests", "2"),
        ("tools by student", "2 served, 1 exported, 0 discarded"),
        ("projects, control", "2 started, 1 exported (50.0%)"),
    ):
        assert any(all(cell in line for cell in row) for line in table.splitlines()), row
    counts = json.loads(recolor("events", "stats", "--json").stdout)
    assert (counts["requests"], counts["intents"], counts["unmet"], counts["shared"]) == (2, 1, 0, 0)
    assert counts["sources"]["teacher"] == {"served": 2, "exported": 1, "discarded": 0}
    assert datetime.fromisoformat(counts["first"]) <= datetime.fromisoformat(counts["last"]) <= datetime.now(UTC)


def test_stats_of_a_store_that_is_empty() -> None:
    assert json.loads(recolor("events", "stats", "--json").stdout)["requests"] == 0
    assert "requests" in recolor("events", "stats").stdout


@pytest.mark.usefixtures("filled")
def test_every_served_tool_is_exported_as_a_line(tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    assert "wrote 4 served tools" in recolor("events", "export", "-o", file).stdout
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(line["request_id"], line["tool"]) for line in lines] == [
        (request, tool) for request in ("r1", "r2") for tool in ("adjust", "filter")
    ]
    assert lines[0]["output"]["contrast"] == 10
    assert lines[1]["output"] is None
    assert [line["exported"] for line in lines] == [True, True, False, False]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["all.jsonl"]


def test_an_export_goes_where_it_can(tmp_path: Path) -> None:
    refused(recolor("events", "export", "-o", tmp_path / "all.csv"), "--output", code=2)
    refused(recolor("events", "export", "-o", tmp_path / "none" / "all.jsonl"), "--output", code=2)


@pytest.mark.usefixtures("filled")
def test_old_events_are_pruned() -> None:
    assert "deleted 0 served tools" in recolor("events", "prune", "--older-than", "1d").stdout
    pruned = recolor("events", "prune", "--older-than", "0m").stdout
    assert pruned == "deleted 4 served tools, 3 rows of feedback, 3 of projects\n"


@pytest.mark.parametrize("age", ["120", "d", "-1d", "1.5h", "1y", ""])
def test_an_age_that_is_none_is_refused(age: str) -> None:
    refused(recolor("events", "prune", "--older-than", age), "--older-than", code=2)


@pytest.mark.usefixtures("filled")
def test_a_user_is_forgotten() -> None:
    assert recolor("events", "forget", "--user", "ann").stdout == (
        "deleted 2 served tools, 3 rows of feedback, 2 of projects\n"
    )
    assert json.loads(recolor("events", "stats", "--json").stdout)["requests"] == 1


def test_without_a_key_nobody_can_be_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECOLOR_EVENTS_USER_KEY")
    refused(recolor("events", "forget", "--user", "ann"), "RECOLOR_EVENTS_USER_KEY")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("none", "switched off"),
        ("mysql://me:a-secret@host/events", "neither sqlite nor postgresql"),
        ("postgresql://me:a-secret@127.0.0.1:1/events", "Connection refused"),
    ],
)
def test_a_store_that_cannot_be_opened_is_said_in_one_line(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOLOR_EVENTS_URL", url)
    result = recolor("events", "stats")
    refused(result, said)
    assert "a-secret" not in result.stderr


def test_grading_on_the_command_line_leaves_no_events(folder: Path) -> None:
    assert recolor("grade", "golden hour").exit_code == 0
    assert not folder.exists()

"""`recolor distill` itself: from a simulated log in SQLite, and what it says of what it cannot use."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app import cli as command_line
from app.distill.dataset import read_dataset
from app.distill.simulate.traffic import traffic
from app.distill.simulate.world import Manners, build
from app.distill.simulate.writing import into_store
from app.events.database import Database
from app.events.store import EventStore
from app.students.store import ModelStore
from tests.distill.loop.logs import DIM, request, stored
from tests.students.tiny import Tiny

Distill = Callable[..., Result]


@pytest.fixture
def distill(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Distill:
    """The command in a folder and with a model store of its own, the tiny student as the current one."""
    shutil.copytree(tiny.store, tmp_path / "store")
    for name, value in {"MODEL_STORE": tmp_path / "store", "MODEL": tiny.model, "THREADS": 1}.items():
        monkeypatch.setenv(f"RECOLOR_{name}", str(value))

    def command(source: object, *arguments: object) -> Result:
        small = ["--name", "tiny", "--version", 7, "--folder", tmp_path / "run", "--encoder", tiny.encoder]
        size = ["--epochs", 1, "--decoder-layers", 1, "--rounds", 0]
        words = ["distill", source, *small, *size, *arguments]
        return CliRunner().invoke(command_line.cli, [str(word) for word in words])

    return command


@pytest.fixture
def log(tiny: Tiny, tmp_path: Path) -> str:
    """A SQLite event store with traffic that never was."""
    file = tmp_path / "events.sqlite3"
    store = EventStore(Database(f"sqlite:///{file}"))
    store.prepare()
    world = build(read_dataset(tiny.teacher), [], Manners(), seed=1)
    into_store(store, world, traffic(world, 1500, seed=1), 1, lambda done: None)
    store.close()
    return str(file)


def test_from_a_simulated_log_to_a_verdict(distill: Distill, log: str, tmp_path: Path) -> None:
    arguments = ["--test", 20, "--validation", 20, "--sample", 40, "--slower", 1e-6]
    done = distill(log, *arguments)
    assert done.exit_code == 10, done.output
    assert "NO-GO" in done.stdout
    assert f"tiny@7 is not released; it stays in {tmp_path / 'run'}" in done.stdout
    report = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    assert report["simulated"]
    assert report["collect"]["funnel"]["simulated"] == report["collect"]["funnel"]["calls"] == 1500
    assert report["rows"]["test"] == 20
    assert report["rows"]["test_drawn"]
    assert report["rows"]["test_seen"]["rows"] is None
    assert "cannot be known" in done.stdout
    assert "SIMULATED" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    arguments += ["--data-licence", "CC0-1.0"]
    again = distill(log, *arguments, "--slower", 1000, "--margin", 2, "--lost", 1, "--lost-of-kind", 1)
    assert again.exit_code == 0, again.output
    assert "train-0: finished again, with another --data-licence" in again.stderr
    assert "CC0-1.0 (data)" in ModelStore(tmp_path / "store").find("tiny@7").manifest.licence
    assert "tiny@7 is released\n" in again.stdout
    tighter = distill(log, *arguments)
    assert tighter.exit_code == 10, tighter.output
    assert "tiny@7 is a no-go by the limits of this call, but was released by an earlier one" in tighter.stdout
    assert "not released" not in tighter.stdout
    assert "train-0: kept" in tighter.stderr


def refused(done: Result, *words: str, code: int = 1) -> None:
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    for word in words:
        assert word in done.output


def test_a_source_that_is_not_there(distill: Distill, tmp_path: Path) -> None:
    refused(distill(tmp_path / "none.jsonl"), "none.jsonl", "cannot be read")
    refused(distill(tmp_path / "none.sqlite3"), "there is no event log at")


def test_a_log_without_calls_and_one_without_exports(distill: Distill, tmp_path: Path) -> None:
    refused(distill(stored(f"sqlite:///{tmp_path}/empty.sqlite3", [], [])), "0 calls", "no intent can be kept")
    served = request("1", "dusk", DIM)
    refused(distill(stored(f"sqlite:///{tmp_path}/log.sqlite3", *served)), "1 never exported", "no intent can be kept")


def test_a_dataset_that_is_too_small_to_be_split(distill: Distill, tmp_path: Path) -> None:
    file = tmp_path / "few.jsonl"
    file.write_text('{"intent": "dusk"}\n', encoding="utf-8")
    refused(distill(file), "1 intents are too few", "--test")


def test_a_stage_and_a_student_that_do_not_exist(distill: Distill, tiny: Tiny) -> None:
    refused(distill(tiny.teacher, "--from", "train-1"), "there is no stage train-1", code=2)
    refused(distill(tiny.teacher, "--against", "nobody@3"), "there is no student nobody@3")
    refused(distill(tiny.teacher, "--version", 1), "tiny@1 exists")

"""What the tests of the command line share: the tiny student as the default, and time enough."""

import os
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app import cli as command_line
from app.cli import console
from tests.students.tiny import Tiny


@pytest.fixture(autouse=True)
def _environment(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny student is the default; a busy machine may take its time; tables are as wide as they need to be."""
    for name in [name for name in os.environ if name.startswith("RECOLOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RECOLOR_MODEL_STORE", str(tiny.store))
    monkeypatch.setenv("RECOLOR_MODEL", tiny.model)
    monkeypatch.setenv("RECOLOR_THREADS", "1")
    monkeypatch.setenv("RECOLOR_STUDENT_SECONDS", "120")
    monkeypatch.setenv("RECOLOR_DEADLINE_SECONDS", "240")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(console.out, "_width", 160)


def recolor(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command_line.cli, [str(argument) for argument in arguments])

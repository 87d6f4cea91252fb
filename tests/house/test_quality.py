"""Style, types and the direction of imports, held by the real tools as they are set up in pyproject.toml."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.checkout import ROOT


@pytest.mark.timeout(900)  # mypy without its cache reads all libraries
@pytest.mark.parametrize(
    "command",
    [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"], ["lint-imports"]],
    ids=" ".join,
)
def test_the_code_passes(command: list[str]) -> None:
    tool = Path(sys.executable).with_name(command[0])
    checked = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr

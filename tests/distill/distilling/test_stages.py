"""Stages are done once, whole or not at all."""

from pathlib import Path

import pytest

from app.distill.dataset import DatasetError
from app.distill.distilling.stages import RESULT, Result, Stages


class Work:
    """Counts how often it is done."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, folder: Path) -> Result:
        self.times += 1
        (folder / "made").write_text("by the stage", encoding="utf-8")
        return {"times": self.times}


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def stages(tmp_path: Path, said: list[str]) -> Stages:
    return Stages(tmp_path, said.append)


def test_a_finished_stage_is_kept(stages: Stages, said: list[str]) -> None:
    work = Work()
    assert [stages.do("a", {"x": (1, Path("y").name)}, work) for _ in range(2)] == [{"times": 1}] * 2
    assert said == ["a", "a: kept"]


def test_another_input_has_it_done_anew(stages: Stages, said: list[str]) -> None:
    work = Work()
    stages.do("a", {"x": 1, "y": 1}, work)
    assert stages.do("a", {"x": 2, "z": 1, "y": 1}, work) == {"times": 2}
    assert said[-1] == "a: made anew, with another x, z"


def test_what_is_dear_is_never_thrown_away_unasked(stages: Stages) -> None:
    work = Work()
    stages.do("train-0", {"x": 1}, work, dear=True)
    with pytest.raises(DatasetError, match=r"another x; --from train-0 makes it anew, another --folder keeps it"):
        stages.do("train-0", {"x": 2}, work, dear=True)
    assert stages.do("train-0", {"x": 1}, work, dear=True) == {"times": 1}
    stages.forget(["train-0", "never done"])
    assert not (stages.folder / "train-0").exists()
    assert stages.do("train-0", {"x": 2}, work, dear=True) == {"times": 2}


def test_what_is_needed_last_has_it_finished_again_with_what_is_there(stages: Stages, said: list[str]) -> None:
    work = Work()
    stages.do("train-0", {"x": 1, "y": 1}, work, dear=True, last=["y"])
    (stages.folder / "train-0" / "dear").write_text("hours", encoding="utf-8")
    assert stages.do("train-0", {"x": 1, "y": 2}, work, dear=True, last=["y"]) == {"times": 2}
    assert said[-1] == "train-0: finished again, with another y"
    assert (stages.folder / "train-0" / "dear").exists()
    with pytest.raises(DatasetError, match="another x, y"):
        stages.do("train-0", {"x": 2, "y": 3}, work, dear=True, last=["y"])


def test_a_full_disk_leaves_no_result(stages: Stages) -> None:
    work = Work()
    full = stages.folder / "a" / f".{RESULT}.part"
    full.parent.mkdir()
    full.symlink_to("/dev/full")
    with pytest.raises(DatasetError, match=r"stage a cannot be finished: .*No space left on device"):
        stages.do("a", {}, work)
    assert not (stages.folder / "a" / RESULT).exists()
    full.unlink()
    assert stages.do("a", {}, work) == {"times": 2}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"inputs": {}}', '{"inputs": 1, "seconds": 1, "result": {}}'])
def test_a_damaged_result_is_told(stages: Stages, damage: str) -> None:
    stages.do("a", {}, Work())
    (stages.folder / "a" / RESULT).write_text(damage, encoding="utf-8")
    with pytest.raises(DatasetError, match="remove it to have its stage done again"):
        stages.do("a", {}, Work())


def test_no_number_that_is_none_gets_into_a_result(stages: Stages) -> None:
    with pytest.raises(ValueError, match="JSON"):
        stages.do("a", {}, lambda folder: {"mean": float("nan")})

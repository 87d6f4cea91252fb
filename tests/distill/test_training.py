"""Training in earnest, on a tiny encoder: a killed run goes on, and the best of the last epochs is kept."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from app.distill.corpus import Corpus, read_corpus
from app.distill.dataset import DatasetError, Example
from app.distill.journey import travel
from app.distill.train import Progress, Trainer
from app.distill.training_run import LAST_EPOCHS
from app.grade import Grade
from tests.students.tiny import PLAN, VALIDATION, Tiny, write_teacher

EPOCHS = LAST_EPOCHS + 1

Weights = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Run:
    folder: Path
    weights: Weights


class KilledError(Exception):
    """Ends a run where a signal would."""


def trainer(tiny: Tiny, folder: Path) -> Trainer:
    corpus = read_corpus(tiny.teacher, VALIDATION, PLAN.seed)
    return Trainer(corpus, tiny.encoder, folder, replace(PLAN, epochs=EPOCHS, decoder_first=1))


def train(tiny: Tiny, folder: Path, report: Callable[[Progress], None] = lambda progress: None) -> Weights:
    return dict(trainer(tiny, folder).train(report).state_dict())


@pytest.fixture(scope="module")
def finished(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("finished")
    return Run(folder, train(tiny, folder))


def log(folder: Path) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = json.loads((folder / "log.json").read_text(encoding="utf-8"))
    return entries


def same(a: Weights, b: Weights) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(("epoch", "step"), [(0, 5), (1, 2)], ids=["between epochs", "inside an epoch"])
def test_a_killed_run_goes_on_as_if_nothing_had_been(
    tiny: Tiny, finished: Run, tmp_path: Path, epoch: int, step: int
) -> None:
    def kill(progress: Progress) -> None:
        if (progress.epoch, progress.step) == (epoch, step):
            raise KilledError

    seen: set[int] = set()
    with pytest.raises(KilledError):
        train(tiny, tmp_path, kill)
    assert len(log(tmp_path)) == 1
    resumed = train(tiny, tmp_path, lambda progress: seen.add(progress.epoch))
    assert seen == set(range(1, EPOCHS))
    assert log(tmp_path) == log(finished.folder)
    assert same(resumed, finished.weights)


def test_training_learns(finished: Run) -> None:
    losses = [entry["loss"] for entry in log(finished.folder)]
    assert len(losses) == EPOCHS
    assert losses == sorted(losses, reverse=True)


def test_the_best_of_the_last_epochs_is_kept(tiny: Tiny, finished: Run, tmp_path: Path) -> None:
    shutil.copytree(finished.folder, tmp_path / "run")
    file = tmp_path / "run" / "log.json"
    overalls = (0.9, 0.3, 0.5, 0.4)
    scored = [entry | {"overall": overall} for entry, overall in zip(log(file.parent), overalls, strict=True)]
    file.write_text(json.dumps(scored), encoding="utf-8")
    chosen = train(tiny, tmp_path / "run")  # nothing is left to train
    third, last = (load_file(finished.folder / f"epoch-0{number}.safetensors") for number in (3, EPOCHS))
    assert all(torch.equal(chosen[name], weight) for name, weight in third.items())
    assert not all(torch.equal(chosen[name], weight) for name, weight in last.items())


def test_only_what_may_still_be_chosen_stays_on_disk(finished: Run) -> None:
    kept = sorted(file.name for file in finished.folder.glob("epoch-*"))
    assert kept == ["epoch-02.safetensors", "epoch-03.safetensors", "epoch-04.safetensors"]
    assert not list(finished.folder.glob("*.part"))


def test_the_pretrained_vocabulary_stays_where_it_was(tiny: Tiny, finished: Run, tmp_path: Path) -> None:
    untrained = trainer(tiny, tmp_path).model.state_dict()
    name = "encoder.embeddings.word_embeddings.weight"
    assert torch.equal(finished.weights[name], untrained[name])
    name = "encoder.encoder.layer.0.attention.self.query.weight"
    assert not torch.equal(finished.weights[name], untrained[name])


def test_the_decoder_learns_alone_first(tiny: Tiny, tmp_path: Path) -> None:
    def kill(progress: Progress) -> None:
        if progress.epoch == 1:
            raise KilledError

    untrained = trainer(tiny, tmp_path / "untrained").model.state_dict()
    with pytest.raises(KilledError):
        train(tiny, tmp_path / "run", kill)
    trained = load_file(tmp_path / "run" / "model-01.safetensors")
    changed = {name.partition(".")[0] for name, weight in trained.items() if not torch.equal(weight, untrained[name])}
    assert changed == {"decoder"}


def test_what_cannot_be_read_is_not_trained_on(tiny: Tiny, tmp_path: Path) -> None:
    rows = [Example(intent, Grade()) for intent in ("warm", "тепло", "さくら", "🌅")]
    own = Trainer(Corpus(rows[:2], rows[:1], rows[2:]), tiny.encoder, tmp_path, PLAN)
    assert [row.intent for row in own.examples] == ["warm", "🌅"]


# The folder of a run


def refused(tiny: Tiny, tmp_path: Path, **changes: object) -> None:
    """A journey into a copy of the finished run's folder ends before anything is touched."""
    folder = tmp_path / "run"
    shutil.copytree(tiny.run, folder)
    before = {file: file.read_bytes() for file in folder.iterdir()}
    journey = tiny.journey(folder=folder, store=tmp_path / "store", **changes)
    with pytest.raises(DatasetError, match=rf"{folder} has a run with another plan or other data"):
        travel(journey, lambda progress: None, lambda words: None)
    assert {file: file.read_bytes() for file in folder.iterdir()} == before
    assert not (tmp_path / "store").exists()


def test_a_full_disk_leaves_no_half_of_a_plan(tiny: Tiny, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".plan.json.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        travel(tiny.journey(folder=folder, store=tmp_path / "store"), lambda progress: None, lambda words: None)
    assert not (folder / "plan.json").exists()


def test_a_folder_with_a_run_of_another_plan_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    refused(tiny, tmp_path, plan=replace(PLAN, decoder_rate=1e-4))


def test_a_folder_with_a_run_of_another_validation_part_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    refused(tiny, tmp_path, validation=VALIDATION + 1)


def test_a_folder_with_a_run_on_other_data_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    refused(tiny, tmp_path, teacher=write_teacher(tmp_path / "teacher.jsonl", train=100))

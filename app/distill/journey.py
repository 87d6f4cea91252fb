"""From a teacher dataset to a student in the model store: train, tune, release, evaluate."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.distill.behaviours import check, read_behaviours
from app.distill.card import model_card
from app.distill.corpus import Corpus, read_corpus
from app.distill.dataset import DatasetError, read_dataset
from app.distill.evaluate import evaluate, grade_intents
from app.distill.release import Release, add_scores, draft, publish
from app.distill.train import Plan, Progress, Trainer
from app.distill.tune import tune
from app.distill.whole import write_whole
from app.students.hf import WEIGHTS, HFStudent
from app.students.store import read, sha256

BASE_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
LICENCE = "Apache-2.0"
"""Of the packaged encoder, and so of what is trained from it."""


@dataclass(frozen=True, slots=True)
class Journey:
    """What to train on and where to put it; `command` is recorded in the manifest."""

    teacher: Path
    behaviours: Path
    encoder: Path
    folder: Path
    store: Path
    name: str
    version: int
    command: str
    plan: Plan
    validation: int = 600
    alternates: Path | None = None
    similar: Path | None = None
    additions: Path | None = None
    base_model: str = BASE_MODEL
    licence: str = LICENCE

    @property
    def datasets(self) -> list[Path]:
        return [path for path in (self.teacher, self.alternates, self.similar, self.additions) if path is not None]


def travel(journey: Journey, report: Callable[[Progress], None], say: Callable[[str], None]) -> Path:
    """Returns the folder of the released student. Raises DatasetError, ModelStoreError."""
    read_behaviours(journey.behaviours)  # hours before it is needed: a broken file is told at once
    corpus = read_corpus(
        journey.teacher,
        journey.validation,
        journey.plan.seed,
        journey.alternates,
        journey.similar,
        journey.additions,
    )
    _begin(journey)
    trainer = Trainer(corpus, journey.encoder, journey.folder, journey.plan)
    network = trainer.train(report)
    say("tuning the decoding thresholds on the validation part")
    logits, readings = trainer.logits(network, corpus.validation)
    thresholds = tune(lambda trial: trainer.score(logits, readings, corpus.validation, trial))
    say("writing the student")
    facts = Release(
        name=journey.name,
        version=journey.version,
        licence=journey.licence,
        base_model=journey.base_model,
        datasets={path.name: path for path in journey.datasets},
        training=_training(journey, corpus, trainer),
        thresholds=thresholds,
    )
    path = draft(journey.store, network, trainer.tokenizer, trainer.answers, facts)
    say("scoring it on the test split")
    score_release(path, journey.teacher, journey.behaviours)
    say(f"releasing {journey.name}@{journey.version} under the licence: {journey.licence}")
    return publish(path)


def score_release(path: Path, teacher: Path, behaviours: Path) -> None:
    """Evaluate a released student as it will be served; completes its manifest and writes its model card."""
    stored = read(path)
    rows = [row for row in read_dataset(teacher) if row.split == "test"]
    constrained, free = HFStudent(stored, "constrained"), HFStudent(stored, "free")
    report = check(read_behaviours(behaviours), lambda intents: grade_intents(constrained, intents))
    scores = {
        "test": evaluate(constrained, rows).plain(),
        "free": evaluate(free, rows).plain(),
        "behaviours": {"passed": report.passed, "total": report.total, "kinds": report.kinds},
    }
    add_scores(path, scores, model_card(stored.manifest, scores))


def _begin(journey: Journey) -> None:
    """Note what the run in the folder is of, or see that it is of the same. Raises DatasetError."""
    try:
        datasets = {path.name: sha256(path) for path in journey.datasets}
        encoder = _encoder_hash(journey)
    except OSError as error:
        raise DatasetError(f"{error.filename}: cannot be read: {error.strerror}") from None
    whole = {"plan": journey.plan.plain(), "validation": journey.validation, "datasets": datasets, "encoder": encoder}
    note = journey.folder / "plan.json"
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")) != whole:
        raise DatasetError(f"{note.parent} has a run with another plan or other data; choose another folder")
    journey.folder.mkdir(parents=True, exist_ok=True)
    write_whole(note, json.dumps(whole, indent=1))


def _encoder_hash(journey: Journey) -> str:
    """SHA-256 of the weights that training starts from. Raises OSError."""
    return sha256(journey.encoder / WEIGHTS)


def _training(journey: Journey, corpus: Corpus, trainer: Trainer) -> dict[str, Any]:
    return {
        "command": journey.command,
        "encoder": _encoder_hash(journey),
        "plan": journey.plan.plain(),
        "examples": len(trainer.examples),
        "validation": len(corpus.validation),
        "best_epoch": trainer.run.best(),
        "epochs": trainer.run.epochs,
    }

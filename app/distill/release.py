"""Put a trained student into the model store: weights, tokenizers, manifest with hashes, model card."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import EncoderDecoderModel, PreTrainedTokenizerFast

from app.students.hf import ANSWERS, save_network
from app.students.manifest import Manifest, SlotThresholds
from app.students.store import MANIFEST, ModelStoreError, read, sha256, write

CARD = "README.md"


@dataclass(frozen=True, slots=True)
class Release:
    """What a release states about itself; `datasets` maps names to files, `training` is JSON-ready."""

    name: str
    version: int
    licence: str
    base_model: str
    datasets: dict[str, Path]
    training: dict[str, Any]
    thresholds: SlotThresholds


def release(
    store: Path,
    network: EncoderDecoderModel,
    reader: PreTrainedTokenizerFast,
    answers: PreTrainedTokenizerFast,
    facts: Release,
) -> Path:
    """Write a new version, whole or not at all. Raises ModelStoreError if it exists."""
    target = store / "students" / facts.name / str(facts.version)
    if target.exists():
        raise ModelStoreError(f"{target} exists; a version is never overwritten, release the next one")
    draft = target.with_name(f"{facts.version}.part")
    shutil.rmtree(draft, ignore_errors=True)
    (draft / ANSWERS).mkdir(parents=True)
    save_network(network, draft)
    reader.save_pretrained(draft)
    answers.save_pretrained(draft / ANSWERS)
    manifest = Manifest(
        name=facts.name,
        version=facts.version,
        architecture=type(network).__name__,
        codec="compact",
        decoding="constrained",
        thresholds=facts.thresholds,
        licence=facts.licence,
        base_model=facts.base_model,
        datasets={name: sha256(file) for name, file in facts.datasets.items()},
        training=facts.training,
        scores={},
        files=_hashes(draft),
    )
    write(draft, manifest)
    draft.replace(target)
    return target


def add_scores(student: Path, scores: dict[str, Any], card: str) -> None:
    """Complete a release by what its evaluation found, and its model card. Raises ModelStoreError."""
    manifest = read(student).manifest
    (student / CARD).write_text(card, encoding="utf-8")
    write(student, manifest.model_copy(update={"scores": scores}))


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name not in (MANIFEST, CARD))
    return {file.relative_to(folder).as_posix(): sha256(file) for file in files}

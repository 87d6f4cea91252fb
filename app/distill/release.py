"""Put a trained student into the model store: weights, tokenizers, manifest with hashes, model card."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from transformers import EncoderDecoderModel, PreTrainedTokenizerFast

from app.students.hf import ANSWERS, save_network
from app.students.manifest import Manifest, SlotThresholds
from app.students.memory import gpu_memory_gib
from app.students.store import MANIFEST, ModelStore, ModelStoreError, read, sha256, write

CARD = "README.md"
DRAFTS = ".drafts"
"""Folder beside the students in which a release lies until it is complete."""


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


def draft(
    store: Path,
    network: EncoderDecoderModel,
    reader: PreTrainedTokenizerFast,
    answers: PreTrainedTokenizerFast,
    facts: Release,
) -> Path:
    """Write a new version where it can be read and scored, but not yet found. Raises ModelStoreError if it exists."""
    path = _new_draft(store, facts.name, facts.version)
    (path / ANSWERS).mkdir()
    save_network(network, path)
    reader.save_pretrained(path)
    answers.save_pretrained(path / ANSWERS)
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
        files=_hashes(path),
    )
    write(path, manifest)
    return path


@dataclass(frozen=True, slots=True)
class WriterRelease:
    """What the release of a writing student states about itself; as `Release`, and how it is asked and answers."""

    name: str
    version: int
    licence: str
    base_model: str
    datasets: dict[str, Path]
    training: dict[str, Any]
    codec: str
    decoding: Literal["constrained", "free"]
    prompt: Literal["plain", "chat"]
    base: str | None = None


def draft_writer(store: Path, facts: WriterRelease, write_files: Callable[[Path], str]) -> Path:
    """As `draft`, for a writing student: `write_files` fills a folder and returns the architecture."""
    path = _new_draft(store, facts.name, facts.version)
    architecture = write_files(path)
    weights = [path, ModelStore(store).find(facts.base).path] if facts.base else [path]
    manifest = Manifest(
        name=facts.name,
        version=facts.version,
        architecture=architecture,
        codec=facts.codec,
        decoding=facts.decoding,
        prompt=facts.prompt,
        base=facts.base,
        gpu_memory_gib=gpu_memory_gib(*weights),
        licence=facts.licence,
        base_model=facts.base_model,
        datasets={name: sha256(file) for name, file in facts.datasets.items()},
        training=facts.training,
        scores={},
        files=_hashes(path),
    )
    write(path, manifest)
    return path


def publish(path: Path) -> Path:
    """Put a draft among the students; returns its folder there. Raises ModelStoreError if the version exists."""
    target = _target(path)
    _require_new(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    for folder in (path.parent, path.parent.parent):
        with suppress(OSError):  # other drafts lie there
            folder.rmdir()
    return target


def publish_copy(student: Path, store: Path) -> Path:
    """Put a copy of a student of another store among the students; one that is there already is told its licence.

    Returns its folder. Raises ModelStoreError where the version exists and is another student.
    """
    stored = read(student)
    name, version = stored.manifest.name, stored.manifest.version
    target = store / "students" / name / str(version)
    if target.is_dir() and (there := read(target).manifest).files == stored.manifest.files:
        if there.licence != stored.manifest.licence:
            shutil.copyfile(student / CARD, target / CARD)
            write(target, stored.manifest)
        return target
    path = _new_draft(store, name, version)
    shutil.copytree(student, path, dirs_exist_ok=True)
    read(path).verify()
    return publish(path)


def add_scores(student: Path, scores: dict[str, Any], card: str) -> None:
    """Complete a release by what its evaluation found, and its model card. Raises ModelStoreError."""
    manifest = read(student).manifest
    (student / CARD).write_text(card, encoding="utf-8")
    write(student, manifest.model_copy(update={"scores": scores}))


def _new_draft(store: Path, name: str, version: int) -> Path:
    """An empty folder to write a version into. Raises ModelStoreError if the version exists."""
    path = store / "students" / DRAFTS / name / str(version)
    _require_new(_target(path))
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def _target(path: Path) -> Path:
    return path.parent.parent.parent / path.parent.name / path.name


def _require_new(target: Path) -> None:
    if target.exists():
        raise ModelStoreError(f"{target} exists; a version is never overwritten, release the next one")


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name not in (MANIFEST, CARD))
    return {file.relative_to(folder).as_posix(): sha256(file) for file in files}

"""New entries of the model store: models from a folder or from the Hugging Face hub, checked and written whole.

What is brought in is a base model to train from, unless its folder has our manifest: then it is a student. Only weights
in safetensors are taken.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.students.manifest import Manifest
from app.students.memory import gpu_memory_gib
from app.students.store import (
    MANIFEST,
    ModelStore,
    ModelStoreError,
    StoredModel,
    read,
    require_model_name,
    sha256,
    write,
)

TAKEN = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.model", "*.jinja", "*.txt", "LICENSE*", "NOTICE*")
"""Files of a model's folder that are taken; pickled weights are not among them."""
DRAFTS = ".drafts"
SPARE_BYTES = 1 << 30
"""Disk space that is left free."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a base model comes from: its `name` there, its `licence`, and the `revision` (a commit) if it has one."""

    name: str
    licence: str
    revision: str = ""


def add(store: ModelStore, folder: Path, model: str, licence: str) -> StoredModel:
    """Copy a folder into the store as ``name@version``. Raises ModelStoreError."""
    if not folder.is_dir():
        raise ModelStoreError(f"there is no folder {folder}")
    require_new(store, model)
    if (folder / MANIFEST).is_file():
        return _add_student(store, folder, model)
    files = files_to_take(folder)
    require_room(store, sum(file.stat().st_size for file in files), str(folder))
    draft = new_draft(store, model)
    for file in files:
        _copy(file, draft / file.name)
    return publish(store, draft, model, Origin(folder.resolve().name, licence))


def remove(store: ModelStore, model: str) -> int:
    """Remove an entry; returns the bytes that became free. Raises ModelStoreError, also while another needs it."""
    stored = store.find(model)
    if needing := [other.manifest.model for other in store if other.manifest.base == model]:
        raise ModelStoreError(f"{needing[0]} is an adapter on {model}; remove it first")
    freed = sum(file.stat().st_size for file in stored.path.rglob("*") if file.is_file())
    # Renamed first: what is half removed is never found.
    doomed = new_draft(store, model)
    doomed.rmdir()
    stored.path.replace(doomed)
    shutil.rmtree(doomed)
    _tidy(doomed.parent, stored.path.parent)
    return freed


def require_new(store: ModelStore, model: str) -> None:
    """Raises ModelStoreError if the entry exists, or is named wrongly."""
    name, version = require_model_name(model)
    if (store.students / name / version).exists():
        raise ModelStoreError(f"{model} exists in {store.students}; choose another version")


def require_room(store: ModelStore, size: int, what: str) -> None:
    """Raises ModelStoreError unless so many bytes fit on the store's disk."""
    require_space(store.students, size, f"{what} has", "set RECOLOR_MODEL_STORE to another disk")


def require_space(folder: Path, size: int, what: str, otherwise: str) -> None:
    """Raises ModelStoreError unless so many bytes can be written into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < size + SPARE_BYTES:
        raise ModelStoreError(
            f"{what} {size / 1e9:.1f} GB, {folder} has {free / 1e9:.1f} GB left; make room, or {otherwise}"
        )


def new_draft(store: ModelStore, model: str, keep: bool = False) -> Path:
    """A folder to write an entry into, where it is not found yet; empty unless an earlier one is kept."""
    name, version = require_model_name(model)
    draft = store.students / DRAFTS / name / version
    if not keep:
        shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, exist_ok=True)
    return draft


def files_to_take(folder: Path) -> list[Path]:
    """The files of a model's folder that are taken. Raises ModelStoreError where they make no model."""
    files = sorted({file for pattern in TAKEN for file in folder.glob(pattern) if file.is_file()})
    require_model({file.name for file in files}, str(folder))
    return files


def require_model(names: Iterable[str], where: str) -> None:
    """Raises ModelStoreError unless files of these names make a model."""
    names = set(names)
    if "config.json" not in names:
        raise ModelStoreError(f"{where} has no config.json: no model of the transformers library")
    if not any(name.endswith(".safetensors") for name in names):
        raise ModelStoreError(
            f"{where} has no weights in safetensors; pickled weights (.bin, .pt) can run code and are not taken"
        )


def require_whole(folder: Path) -> None:
    """Raises ModelStoreError unless all weights are there that the folder speaks of, each file as long as it says."""
    from safetensors import SafetensorError, safe_open

    for index in folder.glob("*.safetensors.index.json"):
        try:
            listed = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ModelStoreError(f"{index.name} is no list of weights") from None
        if lacking := sorted(name for name in listed if not (folder / str(name)).is_file()):
            raise ModelStoreError(f"{lacking[0]} is missing, which {index.name} lists")
    for weights in folder.glob("*.safetensors"):
        try:
            with safe_open(weights, framework="numpy"):
                pass
        except SafetensorError as error:
            raise ModelStoreError(f"{weights.name} is damaged: {error}") from None


def publish(store: ModelStore, draft: Path, model: str, origin: Origin) -> StoredModel:
    """Write the manifest of a base model beside its files and put it among the others. Raises ModelStoreError."""
    from transformers import AutoConfig

    name, version = require_model_name(model)
    try:
        require_whole(draft)
        config = AutoConfig.from_pretrained(draft, local_files_only=True, trust_remote_code=False)
    except ModelStoreError as error:
        shutil.rmtree(draft)
        raise ModelStoreError(f"{origin.name}: {error}") from None
    except Exception as error:  # whatever a wrong value leads to, deep inside
        shutil.rmtree(draft)
        told = " ".join(str(error).split())[:200]
        raise ModelStoreError(f"{origin.name}: config.json cannot be used: {told}") from error
    files = {file.relative_to(draft).as_posix(): sha256(file) for file in sorted(draft.rglob("*")) if file.is_file()}
    manifest = Manifest(
        name=name,
        version=int(version),
        role="base",
        architecture=(config.architectures or [type(config).__name__])[0],
        codec="",
        decoding="free",
        gpu_memory_gib=gpu_memory_gib(draft),
        licence=origin.licence,
        base_model=origin.name,
        revision=origin.revision,
        datasets={},
        training={},
        scores={},
        files=files,
    )
    write(draft, manifest)
    return _move_in(store, draft, model)


def _add_student(store: ModelStore, folder: Path, model: str) -> StoredModel:
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except ValueError as error:
        raise ModelStoreError(f"{folder / MANIFEST} cannot be read: {' '.join(str(error).split())[:200]}") from None
    student = StoredModel(folder, manifest)
    student.verify()
    if manifest.base is not None and manifest.base not in {known.manifest.model for known in store}:
        raise ModelStoreError(
            f"{model} is an adapter on {manifest.base}, which is not in {store.students}; add it first"
        )
    require_room(store, student.size, str(folder))
    name, version = require_model_name(model)
    draft = new_draft(store, model)
    for listed in manifest.files:
        _copy(folder / listed, draft / listed)
    if (folder / "README.md").is_file():
        _copy(folder / "README.md", draft / "README.md")
    write(draft, manifest.model_copy(update={"name": name, "version": int(version)}))
    return _move_in(store, draft, model)


def _copy(file: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target)
    except OSError as error:
        raise ModelStoreError(f"{file} cannot be copied to {target.parent}: {error.strerror}") from error


def _move_in(store: ModelStore, draft: Path, model: str) -> StoredModel:
    require_new(store, model)
    name, version = require_model_name(model)
    target = store.students / name / version
    target.parent.mkdir(parents=True, exist_ok=True)
    draft.replace(target)
    _tidy(draft.parent)
    return read(target)


def _tidy(*folders: Path) -> None:
    """Remove folders that became empty, and the folder of drafts with its last one."""
    for folder in folders:
        for empty in (folder, folder.parent):
            if empty.name != "students" and empty.is_dir() and not any(empty.iterdir()):
                empty.rmdir()

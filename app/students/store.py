"""The model store: students on disk, each version in ``students/<name>/<version>/``, checked by hash."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from app.students.manifest import Manifest

MANIFEST = "manifest.json"
WEIGHTS = ".safetensors"
_MODEL = re.compile(r"([a-z0-9][a-z0-9._-]*)@([1-9]\d*)")


class ModelStoreError(RuntimeError):
    """A student that cannot be used; the message names the file and what to do."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    path: Path
    manifest: Manifest

    @property
    def size(self) -> int:
        """Bytes of the files that the manifest lists and that are there."""
        files = (self.path / name for name in self.manifest.files)
        return sum(file.stat().st_size for file in files if file.is_file())

    def verify(self, *, weights: bool = True) -> None:
        """Compare every file with the manifest, or every one but the weights. Raises ModelStoreError."""
        for name, expected in self.manifest.files.items():
            file = self.path / name
            if file.suffix == WEIGHTS and not weights:
                continue
            if not file.is_file():
                raise ModelStoreError(f"{file} is missing; {mend(self.manifest.model)}")
            if sha256(file) != expected:
                raise ModelStoreError(
                    f"{file} is damaged: its SHA-256 is not the manifest's; {mend(self.manifest.model)}"
                )


class ModelStore:
    def __init__(self, root: Path) -> None:
        self.students = root / "students"

    def find(self, model: str) -> StoredModel:
        """The student ``name@version``. Raises ModelStoreError."""
        name, version = require_model_name(model)
        path = self.students / name / version
        if not path.is_dir():
            known = ", ".join(sorted(stored.manifest.model for stored in self)) or "none"
            raise ModelStoreError(f"there is no student {model} in {self.students} (there: {known})")
        return read(path)

    def newest(self, model: str) -> StoredModel:
        """``name@version``, or the newest version of ``name``. Raises ModelStoreError."""
        if "@" in model:
            return self.find(model)
        versions = [stored for stored in self if stored.manifest.name == model]
        if not versions:
            raise ModelStoreError(
                f"there is no {model} in {self.students}; `recolor models pull` brings one from the Hugging Face hub, "
                "`recolor models add` takes one from a folder"
            )
        return versions[-1]

    def __iter__(self) -> Iterator[StoredModel]:
        """Every student, by name and version. Raises ModelStoreError at one whose manifest cannot be read."""
        found = [file.parent for file in self.students.glob(f"*/*/{MANIFEST}") if file.parent.name.isdecimal()]
        for path in sorted(found, key=lambda path: (path.parent.name, int(path.name))):
            yield read(path)


def require_model_name(model: str) -> tuple[str, str]:
    """Name and version of ``name@version``. Raises ModelStoreError."""
    match = _MODEL.fullmatch(model)
    if match is None:
        raise ModelStoreError(f"'{model}' is not of the form name@version, e.g. recolor-mini@1")
    return match[1], match[2]


def read(path: Path) -> StoredModel:
    """The student in a folder. Raises ModelStoreError."""
    file = path / MANIFEST
    try:
        manifest = Manifest.model_validate_json(file.read_bytes())
    except OSError:
        raise ModelStoreError(f"{file} is missing; {mend(path.parent.name)}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, problem["loc"])) or "the file"
        raise ModelStoreError(f"{file} is damaged: {place}: {problem['msg']}; {mend(path.parent.name)}") from None
    if manifest.model != f"{path.parent.name}@{path.name}":
        raise ModelStoreError(f"{file} is damaged: it is of {manifest.model}; {mend(path.parent.name)}")
    return StoredModel(path, manifest)


def write(path: Path, manifest: Manifest) -> None:
    """Write the manifest beside its files, whole or not at all."""
    draft = path / f"{MANIFEST}.part"
    draft.write_text(json.dumps(manifest.model_dump(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path / MANIFEST)


def sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def mend(model: str) -> str:
    """What to do about a damaged student, for the end of a message."""
    return f"restore it from version control or a backup, or train {model} anew with `recolor train`"

"""Models from the Hugging Face hub: at a commit, safetensors only, resumable, compared with the hub's hashes."""

import errno
import fnmatch
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from app.students.adding import TAKEN, Origin, new_draft, publish, require_model, require_new, require_room
from app.students.store import ModelStore, ModelStoreError, StoredModel, sha256


@dataclass(frozen=True, slots=True)
class RemoteFile:
    name: str
    size: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """What the hub says of a repository at a commit."""

    repository: str
    commit: str
    licence: str
    files: list[RemoteFile]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size or 0 for file in self.files)


def look_up(repository: str, revision: str) -> RemoteModel:
    """Raises ModelStoreError, with what to do."""
    with _told(repository, revision):
        info = HfApi().model_info(repository, revision=revision, files_metadata=True)
    files = [
        RemoteFile(file.rfilename, file.size, file.lfs.sha256 if file.lfs else None)
        for file in info.siblings or ()
        if "/" not in file.rfilename and any(fnmatch.fnmatch(file.rfilename, pattern) for pattern in TAKEN)
    ]
    require_model([file.name for file in files], repository)
    card = info.card_data.to_dict() if info.card_data else {}  # type: ignore[no-untyped-call]
    licence = card.get("license_name" if card.get("license") == "other" else "license")
    return RemoteModel(repository, info.sha or revision, str(licence or "unknown: see the hub"), files)


def pull(store: ModelStore, remote: RemoteModel, model: str) -> StoredModel:
    """Download into the store as ``name@version``; goes on at the byte where an earlier pull of it stopped.

    The library shows the progress of each file, and mends dropped connections. Raises ModelStoreError.
    """
    require_new(store, model)
    require_room(store, remote.size, remote.repository)
    draft = new_draft(store, model, keep=True)
    for file in remote.files:
        _fetch(remote, file, draft)
    for path in draft.iterdir():
        if path.name not in {file.name for file in remote.files}:  # of an earlier pull, at another commit
            path.unlink()
    return publish(store, draft, model, Origin(remote.repository, remote.licence, remote.commit))


def _fetch(remote: RemoteModel, file: RemoteFile, draft: Path) -> None:
    """Download what is not there yet. `hf_hub_download` would begin every file anew: it keeps no part of one.

    What has no hash to know it by is small, and begun anew here, too.
    """
    path, part = draft / file.name, draft / f"{file.sha256 or file.name}.part"
    if file.sha256 and path.is_file() and sha256(path) == file.sha256:
        return
    with part.open("ab" if file.sha256 else "wb") as content, _told(remote.repository, remote.commit):
        http_get(
            hf_hub_url(remote.repository, file.name, revision=remote.commit),
            content,
            resume_size=content.tell(),
            headers=build_hf_headers(),
            expected_size=file.size,
            displayed_filename=file.name,
        )
    if file.sha256 is not None and sha256(part) != file.sha256:
        part.unlink()
        raise ModelStoreError(f"{file.name} arrived damaged: its SHA-256 is not the hub's; pull again")
    part.replace(path)


class _told:  # noqa: N801 - used as a function
    """The library's errors as ours, with what to do."""

    def __init__(self, repository: str, revision: str) -> None:
        self._repository, self._revision = repository, revision

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        name = self._repository
        match error:
            case None:
                return
            case GatedRepoError():
                message = (
                    f"{name} asks for its licence to be accepted first: do so at https://huggingface.co/{name}, "
                    "then set HF_TOKEN to a token of that account"
                )
            case RepositoryNotFoundError():
                message = f"the hub knows no {name}, or it is private and HF_TOKEN is not set"
            case RevisionNotFoundError():
                message = f"{name} has no revision {self._revision}"
            case EntryNotFoundError():
                message = f"{name} lacks a file that the hub listed; pull again"
            case HfHubHTTPError():
                message = f"the hub refused {name}: {_short(error)}"
            case OSError(errno=errno.ENOSPC):
                message = f"the disk is full; make room and pull {name} again, which goes on where it stopped"
            case Exception():  # each version of the library has its own errors of the network
                message = (
                    f"the Hugging Face hub cannot be reached for {name} ({_short(error)}); on a machine without "
                    "network, copy the model's folder there and use `recolor models add`"
                )
            case _:
                return
        raise ModelStoreError(message) from error


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

"""Which pictures a command works on: files, folders and patterns become jobs of a source and a target each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

import typer

from app.render.photo import PhotoFormat
from app.render.video import CONTAINERS

PHOTOS: dict[str, PhotoFormat] = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".png": "png",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
}
"""Photos that are written, by their endings."""

_PHOTOS_READ = {*PHOTOS, ".heic", ".heif", ".hif", ".avif"}
_VIDEOS_READ = {*CONTAINERS, ".avi", ".mts", ".m2ts", ".ts", ".mpg", ".mpeg", ".3gp", ".wmv", ".flv", ".ogv", ".mxf"}
_READ = _PHOTOS_READ | _VIDEOS_READ


@dataclass(frozen=True, slots=True)
class Job:
    """A picture to render, and the file that it becomes."""

    source: Path
    target: Path

    @property
    def is_video(self) -> bool:
        return self.source.suffix.lower() in _VIDEOS_READ


def is_picture(name: str) -> bool:
    """Whether a name ends as that of a photo or video."""
    return Path(name).suffix.lower() in _READ


def is_name(word: str) -> bool:
    """Whether a word can only be meant as a file, a folder or a pattern."""
    return is_picture(word) or has_magic(word) or Path(word).expanduser().exists()


def jobs_of(names: list[str], output: Path, force: bool) -> list[Job]:
    """A job for every picture. None writes over a picture that is read, nor over another's target.

    Args:
        names: files, folders (the pictures that lie in them) and patterns such as a shell knows.
        output: for a single picture a file or a folder, else a folder, which is made if it is missing.
        force: files that exist may be replaced.

    Raises:
        typer.BadParameter: for what makes no sense; nothing has been made then.
    """
    sources = list({source.resolve(): source for name in names for source in _found(name)}.values())
    single = len(names) == 1 and Path(names[0]).expanduser() in sources and not output.is_dir()
    jobs = [Job(sources[0], output)] if single else _into_folder(sources, output)
    _check([job.target for job in jobs], {source.resolve() for source in sources}, force)
    for job in jobs:
        _check_ending(job)
    if single and not output.resolve().parent.is_dir():
        raise _wrong(f"there is no folder {output.parent}", "--output")
    if not single:
        output.mkdir(parents=True, exist_ok=True)
    return jobs


def _found(name: str) -> Iterator[Path]:
    path = Path(name).expanduser()
    if path.is_dir():
        found = [file for file in path.iterdir() if is_picture(file.name) and not file.name.startswith(".")]
        if not found:
            raise _wrong(f"{name} has no photo or video in it")
    elif path.exists() or not has_magic(name):
        if not path.is_file():
            raise _wrong(f"there is no file {name}")
        if not is_picture(name):
            raise _wrong(f"{name} does not end as a photo or video does: {', '.join(sorted(_READ))}")
        found = [path]
    else:
        found = [Path(file) for file in glob(str(path), recursive=True) if is_picture(file)]
        if not found:
            raise _wrong(f"there is no photo or video {name}")
    yield from sorted(found)


def _into_folder(sources: Iterable[Path], folder: Path) -> list[Job]:
    if folder.is_file() or is_picture(folder.name):
        raise _wrong(f"several pictures go into a folder, and {folder} is the name of a file", "--output")
    jobs: dict[str, Job] = {}
    for source in sorted(sources, key=lambda source: _usual_ending(source) != source.suffix):
        ending = _usual_ending(source)
        name = source.stem + ending
        if name.lower() in jobs and ending != source.suffix:  # IMG_1.HEIC beside IMG_1.jpg
            name = f"{source.stem}_{source.suffix[1:]}{ending}"
        if other := jobs.get(name.lower()):
            raise _wrong(f"{other.source} and {source} would both become {folder / name}; render them one by one")
        jobs[name.lower()] = Job(source, folder / name)
    return list(jobs.values())


def _usual_ending(source: Path) -> str:
    if source.suffix.lower() in {*PHOTOS, *CONTAINERS}:
        return source.suffix
    return ".mp4" if source.suffix.lower() in _VIDEOS_READ else ".jpg"


def _check(targets: list[Path], sources: set[Path], force: bool) -> None:
    for target in targets:
        if target.resolve() in sources:
            raise _wrong(f"{target} itself would be overwritten", "--output")
    existing = [target for target in targets if target.exists()]
    if existing and not force:
        others = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise _wrong(f"{existing[0]} exists{others}; --force replaces what exists", "--output")


def _check_ending(job: Job) -> None:
    kind, endings = ("a video", list(CONTAINERS)) if job.is_video else ("a photo", list(PHOTOS))
    if job.target.suffix.lower() not in endings:
        raise _wrong(f"{job.target.name} must end as {kind} does: {', '.join(endings)}", "--output")


def _wrong(words: str, where: str = "PICTURES") -> typer.BadParameter:
    return typer.BadParameter(words, param_hint=where)

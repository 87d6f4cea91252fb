"""What a run is to do, and what it needs from outside."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app.distill.dataset import read_jsonl


@dataclass(frozen=True, slots=True)
class Limits:
    """What a new student must keep to, against the current one, to be a go; every answer must be valid besides.

    Attributes:
        margin: overall on the test rows may be lower by so much, at most, with 95% confidence.
        lost: share of the behaviours that may be lost, those gained set against them.
        lost_of_kind: share of each kind of behaviour that may be lost.
        slower: the median answer may take so many times as long.
    """

    margin: float = 0.02
    lost: float = 0.02
    lost_of_kind: float = 0.2
    slower: float = 1.25

    def plain(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Plan:
    """`source` is a dataset or an event log, `against` the current student, `folder` where the run keeps its state.

    Attributes:
        rounds: of augmentation, each with a training of its own.
        recipe: how a student is trained, JSON-ready; `seed` also draws the test, validation and sample rows.
        subset: train only on rows marked with it; empty: on all.
        also: further datasets whose training rows are trained on.
        test: intents for test where the dataset is not split.
        validation: training rows held out, by which the best round is chosen.
        sample: training rows in which mistakes are looked for; 0: all.
        by: how `recolor collect` decides.
        unexported: whether it keeps what nobody exported.
        data_licence: of the source, for the student's manifest.
        replay: recorded similar intents; none: a model is asked.
        anyway: release a no-go, too.
    """

    source: str
    name: str
    version: int
    against: str
    folder: Path
    store: Path
    behaviours: Path
    photos: Path
    recipe: dict[str, Any]
    seed: int = 1
    rounds: int = 1
    subset: str = ""
    also: Sequence[Path] = ()
    test: int = 1000
    validation: int = 600
    sample: int = 1000
    by: Literal["rate", "bound"] = "rate"
    unexported: bool = False
    data_licence: str = ""
    replay: Sequence[Path] = ()
    limits: Limits = Limits()
    anyway: bool = False

    @property
    def model(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def stages(self) -> list[str]:
        """All that a run of this plan goes through, in order; `collect` only from a log."""
        rounds = [f"{what}-{number}" for number in range(self.rounds + 1) for what in ("augment", "train", "evaluate")]
        return ["collect", "split", *rounds[1:], "current", "compare", "release"]


@dataclass(frozen=True, slots=True)
class Material:
    """What one round trains on. `additions`: rows beside the dataset's, which are never validated or tested on."""

    dataset: Path
    additions: Path | None


class Show(Protocol):
    """Where a run tells how far it is."""

    def say(self, line: str) -> None: ...

    def bar(self, what: str, total: int) -> Callable[[int], None]:
        """A bar, and what is to be told how many are done."""


Train = Callable[[Material, Path, Path, Show], Path]
"""Trains on the material, in a folder that a killed training goes on from; releases into a model store, and returns the
student's folder there."""


def is_log(source: str) -> bool:
    """Whether a source is an event log: whatever is no ``.jsonl``, and the ``.jsonl`` of `recolor events export`.

    Raises DatasetError.
    """
    if not source.endswith(".jsonl") or Path(source).is_dir():
        return True
    first, _ = next(iter(read_jsonl(Path(source))), ({}, ""))
    return "event_id" in first


def shown(source: str) -> str:
    """The source without the password that a URL may hold, and without its query, which may hold one, too."""
    if "://" not in source:
        return source
    try:
        return make_url(source).set(query={}).render_as_string(hide_password=True)
    except ArgumentError:
        return "…://…"

"""The run: every stage, top to bottom.

    collect ─ split ─ train-0 ─ evaluate-0 ─ (augment-k ─ train-k ─ evaluate-k)* ─ current ─ compare ─ release

The best round is chosen on the validation part, which no round trains on; the test rows are looked at to report and to
compare the chosen one with the current student, and choose nothing.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from app.distill.augment.mistakes import Thresholds, freeze, sample
from app.distill.augment.similar import NOBODY_WRITES, read_similar, similar_to
from app.distill.behaviours import read_behaviours
from app.distill.comparison.report import plain_differences
from app.distill.corpus import Corpus, read_corpus
from app.distill.dataset import DatasetError, Example, read_split
from app.distill.distilling import material, verdict
from app.distill.distilling.outcome import Held, Outcome
from app.distill.distilling.plan import Material, Plan, Show, Train, is_log
from app.distill.distilling.scoring import answers, judge, side_by_side, wrong
from app.distill.distilling.seen import told, trained_on
from app.distill.distilling.stages import Result, Stages, fingerprint
from app.distill.evaluate import summarise
from app.distill.release import publish_copy
from app.distill.split import TEST
from app.settings import Settings
from app.students import Engine, ModelStoreError, load_engine
from app.students.manifest import Manifest
from app.students.store import ModelStore, read, sha256

LICENCE = "--data-licence"


def distil(plan: Plan, settings: Settings, train: Train, show: Show, again: str = "") -> Outcome:
    """Do what is not done yet; `again` names a stage from which on all is done anew.

    Raises DatasetError, LogError, ModelStoreError, EngineError.
    """
    read_behaviours(plan.behaviours)
    current = ModelStore(settings.model_store).find(plan.against)
    _require_free(plan, again)
    _require_writer(plan, settings)
    with _alone(plan.folder):
        if again:
            Stages(plan.folder, show.say).forget(plan.stages[plan.stages.index(again) :])
        return _Run(plan, settings, train, show, current.manifest).through()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Raises DatasetError where another call works in the folder; a killed one does not."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatasetError(
                f"another `recolor distill` works in {folder}; wait, or choose another --folder"
            ) from None
        yield


def _require_free(plan: Plan, again: str) -> None:
    """Raises ModelStoreError where the name has been given to another student, or would be: told hours before."""
    ours = (plan.folder / "release").exists() and again in ("", "current", "compare", "release")
    if _target(plan).exists() and not ours:
        raise ModelStoreError(f"{plan.model} exists in {plan.store}; choose another --version")


def _require_writer(plan: Plan, settings: Settings) -> None:
    """Raises DatasetError where nobody could write similar requests: told hours before."""
    read_similar(plan.replay)
    if plan.rounds and not plan.replay and settings.teacher_api_key is None:
        raise DatasetError(NOBODY_WRITES)


class _Run:
    """One go at a run. Every method that is a stage's work gives its result."""

    def __init__(self, plan: Plan, settings: Settings, train: Train, show: Show, current: Manifest) -> None:
        self.plan, self.settings, self.show = plan, settings, show
        self._train, self._current = train, current
        self.stages = Stages(plan.folder, show.say)
        self.results = self.stages.results

    def through(self) -> Outcome:
        plan = self.plan
        self._prepare()
        for number in range(plan.rounds + 1):
            self._round(number)
        overalls = [
            self.results[f"evaluate-{n}"]["validation"]["scores"]["All"]["overall"] for n in range(plan.rounds + 1)
        ]
        chosen = overalls.index(max(overalls))
        self._compare(chosen)
        self._release(chosen)
        return Outcome(
            plan,
            self.results,
            {name: self.stages.seconds(name) for name in self.results},
            chosen,
            self._held(chosen),
            self._seen(chosen),
            self.rows,
        )

    @property
    def dataset(self) -> Path:
        """Every row of the run, those for test among them."""
        return self.plan.folder / "split" / material.DATASET

    @cached_property
    def corpus(self) -> Corpus:
        """What the first round trains on, and the validation part of all rounds."""
        return read_corpus(self.dataset, self.plan.validation, self.plan.seed)

    @cached_property
    def rows(self) -> list[Example]:
        """For test."""
        return read_split(self.dataset, TEST)

    @cached_property
    def sampled(self) -> list[Example]:
        """The training rows in which every round's mistakes are looked for."""
        return sample(self.corpus.train, self.plan.sample, self.plan.seed)

    def _prepare(self) -> None:
        plan = self.plan
        source = Path(plan.source)
        if is_log(plan.source):
            self.stages.do(
                "collect", material.rule_of(plan), lambda folder: material.collected(plan, folder, self.show)
            )
            source = plan.folder / "collect" / material.DATASET
        inputs = {
            "dataset": _hash(source),
            "--also": [_hash(file) for file in plan.also],
            "--subset": plan.subset,
            "--test": plan.test,
            "--seed": plan.seed,
        }
        self.stages.do("split", inputs, lambda folder: material.split(plan, source, folder))

    def _round(self, number: int) -> None:
        plan = self.plan
        additions = plan.folder / "split" / material.ADDITIONS
        if number:
            additions = self._augment(number)
            if not self.results[f"augment-{number}"]["added"]:
                self._skip(number)
                return
        rows = Material(self.dataset, additions if additions.stat().st_size else None)
        inputs = {
            "dataset": _hash(self.dataset),
            "additions": _hash(additions),
            "recipe": plan.recipe,
            "--validation": plan.validation,
            "name": plan.model,
            LICENCE: plan.data_licence,
        }
        name = f"train-{number}"
        last = [LICENCE] if (plan.folder / name / "training").exists() else []  # else it would train again for it
        trained = self.stages.do(name, inputs, lambda folder: self._trained(rows, folder), dear=True, last=last)
        inputs = {
            "student": fingerprint(trained["files"]),
            "dataset": _hash(self.dataset),
            "behaviours": _hash(plan.behaviours),
            "--sample": plan.sample,
        }
        self.stages.do(f"evaluate-{number}", inputs, lambda folder: self._evaluated(number, folder))

    def _skip(self, number: int) -> None:
        """A round that trains on the rows of the round before comes to the same student."""
        for what in ("train", "evaluate"):
            self.results[f"{what}-{number}"] = self.results[f"{what}-{number - 1}"]
        self.show.say(f"train-{number}, evaluate-{number}: skipped, no rows were added; as in round {number - 1}")

    def _trained(self, rows: Material, folder: Path) -> Result:
        store = folder / "store"
        shutil.rmtree(store, ignore_errors=True)  # of a run that was killed after its training
        stored = read(self._train(rows, folder / "training", store, self.show))
        manifest = stored.manifest
        return {
            "files": manifest.files,
            "bytes": stored.size,
            "licence": manifest.licence,
            "base_model": manifest.base_model,
            "training": manifest.training,
        }

    def _evaluated(self, number: int, folder: Path) -> Result:
        parts = {"validation": self.corpus.validation, "sample": self.sampled, "test": self.rows}
        judged = judge(self._student(number), parts, self.plan.behaviours, self.show)
        if not number:
            given = answers(judged["sample"])
            judged["least"] = dict(freeze(summarise("", "", self.sampled, given), folder / "thresholds.json"))
        return judged

    @property
    def _least(self) -> Thresholds:
        """Frozen before any augmentation."""
        return dict(self.results["evaluate-0"]["least"])

    def _augment(self, number: int) -> Path:
        """The file of all additions of the round."""
        plan = self.plan
        before = plan.folder / (f"augment-{number - 1}" if number > 1 else "split") / material.ADDITIONS
        found = self.results[f"evaluate-{number - 1}"]
        inputs = {
            "additions": _hash(before),
            "student": fingerprint(found["sample"]["grades"]),
            "--replay": [_hash(file) for file in plan.replay],
        }
        mistaken = [
            row.intent
            for row, bad in zip(self.sampled, wrong(self.sampled, found["sample"], self._least), strict=True)
            if bad
        ]

        def work(folder: Path) -> Result:
            similar = similar_to(
                mistaken,
                plan.replay,
                self.settings,
                folder / "similar.jsonl",
                lambda total: self.show.bar("asking for similar requests", total),
            )
            made = material.added(self.dataset, before, self.corpus, mistaken, similar, folder)
            self.show.say(
                f"  {made['mistakes']:,} mistakes in {len(self.sampled):,} rows, {made['added']:,} rows added"
            )
            return made

        self.stages.do(f"augment-{number}", inputs, work)
        return plan.folder / f"augment-{number}" / material.ADDITIONS

    def _compare(self, chosen: int) -> None:
        inputs = {
            "--against": self._current.files,
            "dataset": _hash(self.dataset),
            "behaviours": _hash(self.plan.behaviours),
        }
        current = self.stages.do("current", inputs, lambda folder: self._judged_current())
        new = self.results[f"evaluate-{chosen}"]
        compared: dict[str, Any] = {
            "round": chosen,
            "students": [fingerprint(self.results[f"evaluate-{n}"]) for n in range(self.plan.rounds + 1)],
            "current": fingerprint(current),
            "limits": self.plan.limits.plain(),
        }
        self.stages.do("compare", compared, lambda folder: self._compared(chosen, new, current))

    def _judged_current(self) -> Result:
        return judge(self._current_student(), {"test": self.rows}, self.plan.behaviours, self.show)

    def _compared(self, chosen: int, new: Result, current: Result) -> Result:
        intents = [row.intent for row in self.rows]
        told = self.show.bar("asking both in turn", 3 * min(50, len(intents)))
        latencies = side_by_side([self._student(chosen), self._current_student()], intents, told)
        differences = verdict.differences(self.rows, current["test"], new["test"])
        found = verdict.criteria(new, current, differences["All"], latencies, self.plan.limits)
        first = self.results["evaluate-0"]
        return {
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "go": all(criterion.met for criterion in found),
            "criteria": [criterion.plain() for criterion in found],
            "differences": plain_differences(differences),
            "intervals": {
                "current": verdict.intervals(self.rows, current["test"]),
                "rounds": [
                    verdict.intervals(self.rows, self.results[f"evaluate-{n}"]["test"])
                    for n in range(self.plan.rounds + 1)
                ],
            },
            "against_current": verdict.turned(self.rows, current["test"], new["test"], self._least),
            "in_training": verdict.turned(self.sampled, first["sample"], new["sample"], self._least),
            "latency": {"new": asdict(latencies[0]), "current": asdict(latencies[1])},
        }

    def _release(self, chosen: int) -> None:
        plan = self.plan
        student = self._folder(chosen)
        inputs = {
            "student": fingerprint(self.results[f"train-{chosen}"]["files"]),
            "licence": self.results[f"train-{chosen}"]["licence"],
            "go": self.results["compare"]["go"],
            "--release-anyway": plan.anyway,
            "store": str(plan.store),
        }
        if not self._held(chosen):  # nothing was released, or somebody has removed it since
            self.stages.forget(["release"])

        def work(folder: Path) -> Result:
            if not (self.results["compare"]["go"] or plan.anyway):
                return {"released": False}
            publish_copy(student, plan.store)
            return {"released": True}

        self.stages.do("release", inputs, work)

    def _held(self, chosen: int) -> Held:
        """Raises ModelStoreError."""
        target = _target(self.plan)
        if not target.exists():
            return ""
        return "it" if read(target).manifest.files == self.results[f"train-{chosen}"]["files"] else "another"

    def _seen(self, chosen: int) -> Result:
        plan, current = self.plan, self._current
        files = [
            *([] if is_log(plan.source) else [Path(plan.source)]),
            *plan.also,
            *(plan.store / "datasets").glob("*.jsonl"),
            *plan.folder.parent.glob(f"{current.name}-{current.version}/*/*.jsonl"),  # of the run that it came from
        ]
        judged = (self.results[name]["test"] for name in ("current", f"evaluate-{chosen}"))
        return told(plan.against, trained_on(current, files), self.rows, *judged)

    def _folder(self, number: int) -> Path:
        """Where the student of a round lies."""
        store = self.plan.folder / f"train-{number}" / "store"
        return store / "students" / self.plan.name / str(self.plan.version)

    def _student(self, number: int) -> Engine:
        store = self.plan.folder / f"train-{number}" / "store"
        return load_engine(self.settings.model_copy(update={"model": self.plan.model, "model_store": store}))

    def _current_student(self) -> Engine:
        return load_engine(self.settings.model_copy(update={"model": self.plan.against}))


def _target(plan: Plan) -> Path:
    """Where the model store has the student, once it is released."""
    return plan.store / "students" / plan.name / str(plan.version)


def _hash(file: Path) -> str:
    """Raises DatasetError."""
    try:
        return sha256(file)
    except OSError as error:
        raise DatasetError(f"{file}: cannot be read: {error.strerror}") from None

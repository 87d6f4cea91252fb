"""Whether the loop closes: ``python -m benchmarks.closed_loop``.

SIMULATED traffic (`recolor simulate`): 100,000 requests for intents of the training split, answered by a teacher that
wavers, exported by users who like what is close to the reference. `recolor collect` keeps of each intent what was
exported most often. Measured: how far the kept answers are from the reference, and how far a random served answer to
the same intents is; then the small student (`benchmarks.small_student`) is trained on three datasets and scored
against the reference on the test split:

- collected: the kept answers;
- random, same intents: to each of these intents a random answer of those that were served;
- random, all intents: the same for every intent that was asked, also those of which nothing could be kept.

Each seed has traffic of its own. A study that was stopped goes on from --folder.
"""

import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from app.distill.collect.collecting import collect
from app.distill.collect.log import open_log
from app.distill.collect.rule import Rule
from app.distill.corpus import Corpus
from app.distill.dataset import Example, read_dataset
from app.distill.simulate.traffic import traffic
from app.distill.simulate.world import Manners, World, build, distance
from app.distill.simulate.writing import into_files
from app.grade import TOOLS, Grade, fold
from app.settings import CHECKOUT
from benchmarks.harness import RESULTS, Quick, Report, Results, run, table
from benchmarks.small_student import Part, Steps, clear, kept, scored, spread, train

DATASETS = CHECKOUT / "model_store" / "datasets"
COLLECTED, SAME, ALL = "collected", "random, same intents", "random, all intents"
VALIDATION = 200


@dataclass(frozen=True, slots=True)
class Truths:
    """Three answers to what was asked, by folded intent; the first two to the same intents."""

    collected: Mapping[str, Grade]
    same: Mapping[str, Grade]
    every: Mapping[str, Grade]

    @property
    def by_name(self) -> dict[str, Mapping[str, Grade]]:
        return {COLLECTED: self.collected, SAME: self.same, ALL: self.every}


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Simulations, and trainings on each of their datasets.")] = 3,
    requests: Annotated[int, typer.Option(min=100, help="Simulated requests.")] = 100_000,
    steps: Steps = 760,
    noise: Annotated[float, typer.Option(min=0, max=1, help="The most that the teacher's answers waver.")] = 0.6,
    folder: Annotated[Path, typer.Option(help="Where the trainings lie.")] = Path("runs/closed_loop"),
    quick: Quick = False,
    results: Results = RESULTS,
) -> None:
    """Does what users export make a better student than what was served?"""
    seeds, requests = (1, 2_000) if quick else (seeds, requests)
    rows = read_dataset(DATASETS / "teacher.jsonl")
    training = [row for row in rows if row.split == "train"][: 800 if quick else None]
    test = [row for row in rows if row.split == "test"][: 50 if quick else None]
    manners, where = (
        Manners(noise=noise),
        folder / ("quick" if quick else f"noise-{noise:g}-steps-{steps}-requests-{requests}"),
    )
    found = {
        seed: _run(training, test, manners, requests, seed, where / f"seed-{seed}", steps, quick)
        for seed in range(1, seeds + 1)
    }
    _report(found).publish(
        results, seeds=seeds, requests=requests, noise=noise, steps=steps, quick=quick, simulated=True
    )


def _run(
    training: Sequence[Example],
    test: Sequence[Example],
    manners: Manners,
    requests: int,
    seed: int,
    folder: Path,
    steps: int,
    quick: bool,
) -> dict[str, Any]:
    """One simulation, and a student of each dataset; from the folder if it was there before."""

    def compute() -> dict[str, Any]:
        world = build(training, read_dataset(DATASETS / "alternates.jsonl"), manners, seed)
        truths = _truths(world, requests, seed)
        reference = {fold(row.intent): row.grade for row in training}
        return {
            name: {"rows": len(grades), "distance": _distance(grades, reference)}
            | _student(grades, test, folder / name.replace(", ", "-").replace(" ", "-"), seed, steps, quick)
            for name, grades in truths.by_name.items()
        }

    result = kept(folder, compute)
    clear(folder)
    return result


def _truths(world: World, requests: int, seed: int) -> Truths:
    """What the loop keeps, and what it would have without looking at exports."""
    with tempfile.TemporaryDirectory(prefix="recolor-log-") as log:
        into_files(Path(log), ".parquet", world, traffic(world, requests, seed), seed, lambda done: None)
        with open_log(log) as opened:
            dataset = collect(opened, Rule()).dataset
    collected = {row["intent"]: Grade.parse({tool: row[tool] for tool in TOOLS}) for row in dataset}
    rng = random.Random(seed)
    served: dict[int, list[int]] = {}
    for part in traffic(world, requests, seed):
        for intent, answer in zip(part.intents.tolist(), part.answers.tolist(), strict=True):
            served.setdefault(intent, []).append(answer)
    every = {
        world.intents[intent]: Grade.of({tool: world.answers[tool][answer] for tool in TOOLS})
        for intent, answer in ((intent, rng.choice(answers)) for intent, answers in sorted(served.items()))
    }
    return Truths(collected, {intent: every[intent] for intent in collected}, every)


def _distance(grades: Mapping[str, Grade], reference: Mapping[str, Grade]) -> float:
    """Mean over intents and tools, 0..1."""
    return float(
        np.mean([[distance(tool, grade, reference[intent]) for tool in TOOLS] for intent, grade in grades.items()])
    )


def _student(
    grades: Mapping[str, Grade], test: Sequence[Example], folder: Path, seed: int, steps: int, quick: bool
) -> dict[str, float]:
    """Scores against the reference; everything else it learns is from its own dataset, validation, too."""
    rows = [Example(intent, grade) for intent, grade in grades.items()]
    random.Random(seed).shuffle(rows)
    held = min(VALIDATION, len(rows) // 5)
    held_out, rows = rows[:held], rows[held:]
    judged = frozenset(fold(row.intent) for row in (*held_out, *test))
    corpus = Corpus([row for row in rows if fold(row.intent) not in judged], held_out, [], judged)
    return scored(train(corpus, folder, seed, steps, quick), [Part("overall", test)])


def _report(found: Mapping[int, Mapping[str, Any]]) -> Report:
    runs = list(found.values())
    lines = [
        (
            name,
            ", ".join(f"{one[name]['rows']:,}" for one in runs),
            spread([one[name]["distance"] for one in runs]),
            spread([one[name]["overall"] for one in runs]),
            *(spread([one[name][tool] for one in runs]) for tool in TOOLS),
            "" if name == COLLECTED else spread([one[COLLECTED]["overall"] - one[name]["overall"] for one in runs]),
        )
        for name in (COLLECTED, SAME, ALL)
    ]
    columns = ("trained on", "intents", "distance from the reference", "overall", *TOOLS, "collected gains")
    title = f"SIMULATED traffic; students against the reference on the test split; mean (range) of {len(runs)} seeds"
    return Report("closed_loop", [table(title, columns, lines)], {f"seed {seed}": one for seed, one in found.items()})


if __name__ == "__main__":
    run(main)

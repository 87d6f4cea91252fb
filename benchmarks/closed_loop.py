"""Whether the loop closes: ``python -m benchmarks.closed_loop``.

SIMULATED traffic (`recolor simulate`): 100,000 requests for intents of the training split, answered by a teacher that
wavers and, with --misread, at times answers another look; exported by users who like what is close to the reference.
`recolor collect` keeps of each intent what was exported most often. Measured: how far the kept answers are from the
reference, and how far a random served answer to the same intents is; then the small student
(`benchmarks.small_student`) is trained on five datasets and scored against the reference on the test split:

- collected: the kept answers;
- random, same intents: to each of these intents a random answer of those that were served;
- collected, all intents: the kept answers, and what `--unexported` keeps of the intents without exports;
- random, all intents: to each of these a random answer;
- the log itself: as many of the calls as there are steps for, each with its answer, popular intents many times over.

Each seed has traffic of its own. A study that was stopped goes on from --folder.
"""

import random
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
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
from benchmarks.intents import teacher
from benchmarks.small_student import Part, Steps, clear, kept, scored, spread, train

DATASETS = CHECKOUT / "model_store" / "datasets"
COLLECTED, RANDOM = "collected", "random, same intents"
COLLECTED_ALL, RANDOM_ALL = "collected, all intents", "random, all intents"
LOG = "the log itself"
RIVALS = {COLLECTED: RANDOM, COLLECTED_ALL: RANDOM_ALL}
VALIDATION = 200
CALLS_A_STEP = 62
"""A batch has 64 rows, a few of them instructions; two in a hundred calls are held out."""


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Simulations, and trainings on each of their datasets.")] = 3,
    requests: Annotated[int, typer.Option(min=100, help="Simulated requests.")] = 100_000,
    steps: Steps = 760,
    noise: Annotated[float, typer.Option(min=0, max=1, help="The most that the teacher's answers waver.")] = 0.6,
    misread: Annotated[float, typer.Option(min=0, max=1, help="Share of answers meant for another intent.")] = 0.0,
    folder: Annotated[Path, typer.Option(help="Where the trainings lie.")] = Path("runs/closed_loop"),
    quick: Quick = False,
    results: Results = RESULTS,
) -> None:
    """Does what users export make a better student than what was served?"""
    seeds, requests = (1, 1_000) if quick else (seeds, requests)
    rows = teacher()
    training = [row for row in rows if row.split == "train"][: 200 if quick else None]
    test = [row for row in rows if row.split == "test"][: 50 if quick else None]
    manners = Manners(noise=noise, misread=misread)
    wrong = f"-misread-{misread:g}" if misread else ""
    where = folder / ("quick" if quick else f"noise-{noise:g}{wrong}-steps-{steps}-requests-{requests}")
    found = {
        seed: _run(training, test, manners, requests, seed, where / f"seed-{seed}", steps, quick)
        for seed in range(1, seeds + 1)
    }
    _report(found).publish(
        results, seeds=seeds, requests=requests, noise=noise, misread=misread, steps=steps, quick=quick, simulated=True
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
    world = build(training, read_dataset(DATASETS / "alternates.jsonl"), manners, seed)
    reference = {fold(row.intent): row.grade for row in training}
    found = {}
    for name, rows in _datasets(world, requests, seed, steps).items():
        where = folder / name.replace(", ", "-").replace(" ", "-")
        student = partial(_student, rows, test, where, seed, steps, quick)
        found[name] = {"rows": len(rows), "distance": _distance(rows, reference)} | kept(where, student)
        clear(where)
    return found


def _datasets(world: World, requests: int, seed: int, steps: int) -> dict[str, list[Example]]:
    """What the loop keeps, and what it would have without looking at exports."""
    with tempfile.TemporaryDirectory(prefix="recolor-log-") as log:
        into_files(Path(log), ".parquet", world, traffic(world, requests, seed), seed, lambda done: None)
        some, every = (_collected(log, Rule(unexported=unexported)) for unexported in (False, True))
    rng = random.Random(seed)
    calls = [
        (intent, answer)
        for part in traffic(world, requests, seed)
        for intent, answer in zip(part.intents.tolist(), part.answers.tolist(), strict=True)
    ]
    served: dict[int, list[int]] = {}
    for intent, answer in calls:
        served.setdefault(intent, []).append(answer)
    drawn = [_example(world, intent, rng.choice(answers)) for intent, answers in sorted(served.items())]
    of = {row.intent: row for row in drawn}
    same = [of[row.intent] for row in some]
    log_itself = [_example(world, *call) for call in rng.sample(calls, min(len(calls), steps * CALLS_A_STEP))]
    return {COLLECTED: some, RANDOM: same, COLLECTED_ALL: every, RANDOM_ALL: drawn, LOG: log_itself}


def _collected(log: str, rule: Rule) -> list[Example]:
    with open_log(log) as opened:
        dataset = collect(opened, rule).dataset
    return [Example(row["intent"], Grade.parse({tool: row[tool] for tool in TOOLS})) for row in dataset]


def _example(world: World, intent: int, answer: int) -> Example:
    return Example(world.intents[intent], Grade.of({tool: world.answers[tool][answer] for tool in TOOLS}))


def _distance(rows: Sequence[Example], reference: Mapping[str, Grade]) -> float:
    """Mean over rows and tools, 0..1."""
    return float(np.mean([[distance(tool, row.grade, reference[row.intent]) for tool in TOOLS] for row in rows]))


def _student(
    rows: Sequence[Example], test: Sequence[Example], folder: Path, seed: int, steps: int, quick: bool
) -> dict[str, float]:
    """Scores against the reference; everything else it learns is from its own dataset, validation, too."""
    by_intent: dict[str, list[Example]] = {}
    for row in rows:
        by_intent.setdefault(row.intent, []).append(row)
    intents = list(by_intent)
    random.Random(seed).shuffle(intents)
    held = min(VALIDATION, len(intents) // 5)
    held_out = [by_intent[intent][0] for intent in intents[:held]]
    judged = frozenset(fold(row.intent) for row in (*held_out, *test))
    training = [row for intent in intents[held:] for row in by_intent[intent] if fold(intent) not in judged]
    corpus = Corpus(training, held_out, [], judged)
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
            spread([one[name]["overall"] - one[RIVALS[name]]["overall"] for one in runs]) if name in RIVALS else "",
        )
        for name in runs[0]
    ]
    columns = ("trained on", "rows", "distance from the reference", "overall", *TOOLS, "gains on random")
    title = f"SIMULATED traffic; students against the reference on the test split; mean (range) of {len(runs)} seeds"
    return Report("closed_loop", [table(title, columns, lines)], {f"seed {seed}": one for seed, one in found.items()})


if __name__ == "__main__":
    run(main)

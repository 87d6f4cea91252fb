"""How much data a student needs, and what one round of augmentation gives: ``python -m benchmarks.low_data``.

The published study (full training .72, an eighth .52, an eighth and one round of augmentation .65) with a small student
(`benchmarks.small_student`) on this project's data: the `eighth` of teacher.jsonl, its mistakes' similar intents from
similar.jsonl, and a curve over shares of the training rows. Each size contains the smaller ones; the eighth is the
dataset's own. The same 200 rows outside the eighth choose epoch and thresholds for every size. A study that was
stopped goes on from --folder.
"""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from matplotlib import pyplot as plt

from app.distill.augment.augmenting import augment, bare
from app.distill.augment.mistakes import Thresholds, is_mistake, least
from app.distill.augment.similar import read_similar
from app.distill.corpus import Corpus
from app.distill.dataset import Example, read_jsonl
from app.distill.scores import score
from app.grade import TOOLS, Grade, fold
from app.settings import CHECKOUT
from benchmarks.harness import RESULTS, Quick, Report, Results, run, table
from benchmarks.intents import TEACHER, teacher
from benchmarks.small_student import Part, Steps, Student, clear, kept, scored, spread, train

DATASETS = CHECKOUT / "model_store" / "datasets"
SIZES = {"1/16": 16, "1/8": 8, "1/4": 4, "1/2": 2, "all": 1}
AUGMENTED = "1/8 + augmentation"
PUBLISHED = {"all": 0.72, "1/8": 0.52, AUGMENTED: 0.65}
VALIDATION = 200
LONG_ENOUGH = 5
"""Letters from which on two intents may be the same but for one of them."""

Row = tuple[Example, dict[str, Any]]
"""A row as the training reads it, and as it stands in the file."""


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each size.")] = 3,
    steps: Steps = 1060,
    folder: Annotated[Path, typer.Option(help="Where the trainings lie.")] = Path("runs/low_data"),
    quick: Quick = False,
    results: Results = RESULTS,
) -> None:
    """Scores over the size of the training data, with and without augmentation."""
    rows = list(zip(teacher(), (row for row, _ in read_jsonl(TEACHER)), strict=True))
    training = [row for row in rows if row[0].split == "train"]
    test = [example for example, _ in rows if example.split == "test"]
    if quick:
        seeds, training, test = 1, training[:320], test[:50]
    parts = [Part("All", test), Part("no near-duplicates", _unlike(test, [example for example, _ in training]))]
    folder /= "quick" if quick else f"steps-{steps}"
    found = {}
    for seed in range(1, seeds + 1):
        for size in (*SIZES, AUGMENTED):
            found[size, seed] = _trained(size, seed, training, parts, folder / f"seed-{seed}", steps, quick)
        clear(folder / f"seed-{seed}")
    _report(found, seeds, parts).publish(results, seeds=seeds, steps=steps, quick=quick)
    _draw(found, seeds, results / "low_data.png")


def _trained(
    size: str, seed: int, training: Sequence[Row], parts: Sequence[Part], folder: Path, steps: int, quick: bool
) -> dict[str, Any]:
    """The result of one size, from its folder if it was there before."""

    def compute() -> dict[str, Any]:
        validation, nested = _shuffled(training, seed)
        test = parts[0].rows
        if size != AUGMENTED:
            chosen = [example for example, _ in nested[: len(training) // SIZES[size]]]
            student = train(_corpus(chosen, [], validation, test), here, seed, steps, quick)
            return {"rows": len(chosen)} | scored(student, parts)
        eighth = nested[: len(training) // SIZES["1/8"]]
        plain = [example for example, _ in eighth]
        before = train(_corpus(plain, [], validation, test), _folder(folder, "1/8"), seed, steps, quick)
        mistaken, enough, extra = _augmentation(before, eighth, test, validation)
        after = train(_corpus(plain, extra, validation, test), here, seed, steps, quick)
        answers = zip(after.grades(mistaken), mistaken, strict=True)
        mended = sum(not is_mistake(grade, row.grade, enough) for grade, row in answers)
        return {
            "rows": len(plain) + len(extra),
            "mistakes": len(mistaken),
            "added": len(extra),
            "mended": mended,
        } | scored(after, parts)

    here = _folder(folder, size)
    return kept(here, compute)


def _shuffled(training: Sequence[Row], seed: int) -> tuple[list[Example], list[Row]]:
    """The validation rows, and the others in an order of which every beginning is a training set: the eighth first."""
    eighth = [row for row in training if row[1].get("subset") == "eighth"]
    others = [row for row in training if row[1].get("subset") != "eighth"]
    random.Random(VALIDATION).shuffle(others)
    held = min(VALIDATION, len(training) // 5)
    validation, others = [example for example, _ in others[:held]], others[held:]
    rng = random.Random(seed)
    rng.shuffle(eighth)
    rng.shuffle(others)
    return validation, eighth + others


def _corpus(
    chosen: Sequence[Example], extra: list[Example], validation: list[Example], test: Sequence[Example]
) -> Corpus:
    judged = frozenset(fold(row.intent) for row in (*validation, *test))
    return Corpus([row for row in chosen if fold(row.intent) not in judged], validation, extra, judged)


def _augmentation(
    student: Student, rows: Sequence[Row], test: Sequence[Example], validation: Sequence[Example]
) -> tuple[list[Example], Thresholds, list[Example]]:
    """The mistaken rows, by which thresholds, and the rows that are added for them."""
    examples = [example for example, _ in rows]
    given, wanted = student.grades(examples), [example.grade for example in examples]
    enough = least(score(given, wanted))
    mistaken = [row for row, grade in zip(examples, given, strict=True) if is_mistake(grade, row.grade, enough)]
    tested = [{"intent": row.intent, "split": "test"} for row in test]
    held_out = [{"intent": row.intent, "split": "validation"} for row in validation]
    known = [plain for _, plain in rows] + tested + held_out
    similar = read_similar([DATASETS / "similar.jsonl"])
    added = augment(known, [row.intent for row in mistaken], similar).added
    return mistaken, enough, [Example(row["intent"], Grade.parse({tool: row[tool] for tool in TOOLS})) for row in added]


def _unlike(test: Sequence[Example], training: Sequence[Example]) -> list[Example]:
    """Test rows that no training intent equals but for order, spaces, punctuation or one letter."""
    known = {form for row in training for form in _forms(row.intent)}
    return [row for row in test if known.isdisjoint(_forms(row.intent))]


def _forms(intent: str) -> Iterable[str]:
    words = sorted(fold(intent).split())
    for text in {bare(intent), bare(" ".join(words))}:
        yield text
        if len(text) >= LONG_ENOUGH:
            yield from (text[:at] + text[at + 1 :] for at in range(len(text)))


def _folder(folder: Path, size: str) -> Path:
    return folder / size.replace("/", "-").replace(" ", "")


def _draw(found: dict[tuple[str, int], dict[str, Any]], seeds: int, file: Path) -> None:
    """The curve, a dot a training, and what augmentation adds to the eighth."""
    figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")

    def dots(sizes: Sequence[str], **style: Any) -> None:
        points = [[found[size, seed] for seed in range(1, seeds + 1)] for size in sizes]
        every = [result for results in points for result in results]
        axes.scatter([one["rows"] for one in every], [one["All"] for one in every], s=14, color=style["color"])
        means = [(np.mean([one["rows"] for one in some]), np.mean([one["All"] for one in some])) for some in points]
        axes.plot(*zip(*means, strict=True), **style)

    dots(list(SIZES), color="tab:blue", label="the teacher's answers alone")
    dots(["1/8", AUGMENTED], color="tab:orange", linestyle="--", marker="D", label="1/8 and a round of augmentation")
    axes.set(xscale="log", xlabel="training rows", ylabel="overall on the test split")
    rows = [found[size, 1]["rows"] for size in SIZES]
    axes.set_xticks(rows, [f"{size}\n{count:,}" for size, count in zip(SIZES, rows, strict=True)])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _report(found: dict[tuple[str, int], dict[str, Any]], seeds: int, parts: Sequence[Part]) -> Report:
    every = range(1, seeds + 1)
    lines = [
        (
            size,
            f"{found[size, 1]['rows']:,}",
            *(spread([found[size, seed][part.name] for seed in every]) for part in parts),
            f"{PUBLISHED[size]:.2f}" if size in PUBLISHED else "",
        )
        for size in (*SIZES, AUGMENTED)
    ]
    rounds = [found[AUGMENTED, seed] for seed in every]
    views = [
        table(
            f"Overall on the test split, mean (range) of {seeds} seeds",
            ("training", "rows", *(f"{part.name}: {len(part.rows)}" for part in parts), "published"),
            lines,
        ),
        table(
            "The round of augmentation, by seed",
            ("", *(str(seed) for seed in every)),
            [(name, *(f"{one[name]:,}" for one in rounds)) for name in ("mistakes", "added", "mended")],
        ),
    ]
    plain = {f"{size}, seed {seed}": result for (size, seed), result in found.items()}
    return Report("low_data", views, plain)


if __name__ == "__main__":
    run(main)

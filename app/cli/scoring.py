"""`recolor evaluate`: how good a student is, and whether it answers the same when it is computed otherwise."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.comparing import check_chart, evaluate_teacher, tell
from app.cli.console import DATASETS, Dataset, Model, errors, out, progress, settings_of, write
from app.settings import Settings, StartError
from app.students import Engine, EngineError, ModelStoreError, load_engine
from app.students.store import ModelStore

if TYPE_CHECKING:
    from app.distill.dataset import Example
    from app.distill.evaluate import Evaluation

DTYPES = ("float32", "bfloat16", "float16")


def evaluate(
    model: Model = "",
    data: Dataset = DATASETS / "teacher.jsonl",
    split: Annotated[str, typer.Option(help="The rows to score on.")] = "test",
    decoding: Annotated[str | None, typer.Option(help="constrained or free.", show_default="the manifest's")] = None,
    dtype: Annotated[
        str, typer.Option(help=f"Numbers to compute with: {', '.join(DTYPES)}.", show_default="RECOLOR_DTYPE")
    ] = "",
    against: Annotated[
        str,
        typer.Option(
            help="Compare answers instead: with the same student by Hugging Face in these numbers, such as float32, or "
            "with another student, name@version."
        ),
    ] = "",
    behaviours: Annotated[bool, typer.Option("--behaviours", help="Check behaviours.jsonl instead.")] = False,
    file: Annotated[Path | None, typer.Option(help="Another behaviours file.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Also write the result to this file.")] = None,
    teacher: Annotated[bool, typer.Option("--teacher", help="Score RECOLOR_TEACHER_… instead of a student.")] = False,
    chart: Annotated[Path | None, typer.Option(help="Also draw scores and intervals, a .png file.")] = None,
    worst: Annotated[int, typer.Option(min=0, help="Also list so many of the worst intents.")] = 0,
) -> None:
    """Score a student against the teacher, or check how it behaves; exit 1 if under 90% of behaviours hold.

    What fewer bits cost:   recolor evaluate --dtype bfloat16 --against float32

    The same under vLLM:    RECOLOR_BACKEND=vllm RECOLOR_VLLM_QUANTIZATION=fp8
                            recolor evaluate --against float32
    """
    if as_json is not None and (as_json.is_dir() or not as_json.resolve().parent.is_dir()):
        raise typer.BadParameter(f"{as_json} is a folder, or lies in none", param_hint="--json")
    if against and against not in DTYPES and "@" not in against:
        raise typer.BadParameter(f"{against} is neither {', '.join(DTYPES)} nor name@version", param_hint="--against")
    check_chart(chart)
    if teacher:
        with errors():
            tell(*evaluate_teacher(data, split), as_json, chart, worst)
        return
    changes = {"model": model, "decoding": decoding, "dtype": dtype}
    settings = settings_of(**{name: value for name, value in changes.items() if value})
    with errors(), _engine(settings) as engine:
        if behaviours or file:
            _check(engine, file or DATASETS / "behaviours.jsonl", as_json)
        elif against:
            _compare(engine, settings, against, data, split, as_json)
        else:
            rows, found = _score(engine, data, split)
            tell(rows, found, as_json, chart, worst)


@contextmanager
def _engine(settings: Settings) -> Iterator[Engine]:
    """What would serve. Raises ModelStoreError, EngineError, StartError."""
    if settings.backend in ("auto", "hf"):
        yield load_engine(settings)
        return
    from app.main import build_student
    from app.students.offline import OfflineEngine

    try:
        engine = OfflineEngine(build_student(settings))
    except ValueError as error:
        raise StartError(str(error)) from None
    except (ModelStoreError, EngineError):
        raise
    except Exception as error:  # whatever the start of an engine of other people's fails of
        raise StartError(f"the student {settings.model} cannot be started: {error}") from error
    try:
        yield engine
    finally:
        engine.close()


def _score(engine: Engine, data: Path, split: str) -> tuple[Sequence["Example"], "Evaluation"]:
    """Raises DatasetError."""
    from app.distill import evaluate as evaluation
    from app.distill.dataset import read_split

    rows = read_split(data, split)
    with progress() as shown:
        task = shown.add_task("scoring", total=len(rows))
        found = evaluation.evaluate(engine, rows, lambda done: shown.update(task, completed=done))
    return rows, found


def _compare(engine: Engine, settings: Settings, against: str, data: Path, split: str, as_json: Path | None) -> None:
    """Raises DatasetError, ModelStoreError."""
    from app.distill.agreement import compare, table
    from app.distill.dataset import read_split
    from app.students.generative import is_generative

    if "@" in against:
        other = settings.model_copy(update={"model": against, "backend": "hf"})
    elif is_generative(ModelStore(settings.model_store).find(settings.model).manifest):
        other = settings.model_copy(update={"dtype": against, "backend": "hf"})
    else:
        raise ModelStoreError(f"{settings.model} always computes with float32; compare it with another, name@version")
    rows = read_split(data, split)
    reference = load_engine(other)
    with progress() as shown:
        task = shown.add_task("comparing", total=len(rows))
        found = compare(engine, reference, rows, lambda done: shown.update(task, completed=done))
    out.print(table(found, f"{_named(settings)} against {_named(other)}"))
    write(as_json, found.plain())


def _named(settings: Settings) -> str:
    quantised = settings.vllm_quantization if settings.backend == "vllm" else None
    how = (settings.backend.replace("auto", "hf"), settings.dtype.replace("auto", "bfloat16"), quantised)
    return f"{settings.model} ({', '.join(filter(None, how))})"


def _check(engine: Engine, file: Path, as_json: Path | None) -> None:
    """Ends the command. Raises DatasetError."""
    from app.distill import evaluate as evaluation
    from app.distill.behaviours import check, failure_table, read_behaviours, table

    report = check(read_behaviours(file), lambda intents: evaluation.grade_intents(engine, intents))
    if report.failures:
        out.print(failure_table(report))
    out.print(table(report))
    write(as_json, {"passed": report.passed, "total": report.total, "kinds": report.kinds})
    raise typer.Exit(0 if report.rate >= 0.9 else 1)

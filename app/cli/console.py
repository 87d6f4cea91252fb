"""What all commands share: where they write, settings, progress, and known errors as one line."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.canary import CanaryError
from app.events import EventStoreError
from app.settings import CHECKOUT, Settings, StartError
from app.students import EngineError, ModelStoreError

DATASETS = CHECKOUT / "model_store" / "datasets"

LOOP = ("adbc_driver_sqlite", "duckdb", "ibis", "jinja2", "matplotlib", "psycopg", "pyarrow", "scipy", "statsmodels")
"""What the extra `loop` brings."""

out, err = Console(), Console(stderr=True)

Dataset = Annotated[Path, typer.Option(help="A teacher dataset, one JSON object a line.")]
Model = Annotated[str, typer.Option(help="The student, name@version.", show_default="RECOLOR_MODEL")]


def settings_of(**changes: Any) -> Settings:
    """Raises typer.Exit with the variable's name when a setting is wrong."""
    try:
        return Settings(**changes)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            name = "_".join(str(part) for part in problem["loc"])
            err.print(f"recolor: RECOLOR_{name.upper()}: {problem['msg']}", markup=False)
        raise typer.Exit(2) from None


@contextmanager
def errors() -> Iterator[None]:
    """Known errors as one line, without a traceback."""
    from app.distill.collect.errors import LogError
    from app.distill.dataset import DatasetError
    from app.distill.experiment.counts import ExperimentError
    from app.distill.reality.errors import RealityError

    try:
        yield
    except (
        ModelStoreError,
        DatasetError,
        ExperimentError,
        LogError,
        RealityError,
        CanaryError,
        EngineError,
        EventStoreError,
        StartError,
    ) as error:
        err.print(f"recolor: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in LOOP:
            raise
        err.print(f"recolor: {package} is not installed: pip install 'recolor[loop]'", markup=False)
        raise typer.Exit(1) from None


def write(file: Path | None, data: Any) -> None:
    if file is not None:
        file.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def progress(shown: bool = True) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, disable=not shown)


def listing(title: str) -> Table:
    """Names at the left, numbers at the right."""
    view = Table("", "", title=title, title_justify="left", box=None, show_header=False, padding=(0, 2))
    view.columns[1].justify = "right"
    return view

"""`recolor grade`: looks in words become settings, by the very way that the service takes."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from app.cli.console import Model, err, errors, out, settings_of
from app.grade import TOOLS, Grade, fold, strict_json
from app.settings import Settings, StartError
from app.students import EngineError

if TYPE_CHECKING:
    from app.serving import Recoloring

BAR = 20
"""Characters from one end of a parameter's range to the other."""


NO_TRAFFIC: dict[str, Any] = {"experiment": None, "variants": None, "teacher_fresh_share": 0.0}
"""Settings: nothing here takes part in an experiment, and nobody learns from fresh answers."""


def grade(
    intents: Annotated[list[str], typer.Argument(help='One or more looks, e.g. "golden hour" "less harsh".')],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a look instead of a table.")] = False,
    model: Model = "",
) -> None:
    """Show the settings that give a look."""
    recolorings = graded(intents, model)
    for intent, recoloring in zip(intents, recolorings, strict=True):
        if as_json:
            print(json.dumps(_plain(intent, recoloring), ensure_ascii=False))
        else:
            out.print(_bars(intent, recoloring))


def graded(intents: list[str], model: str) -> list["Recoloring"]:
    if not all(map(fold, intents)):
        raise typer.BadParameter("a look has at least one visible character", param_hint="INTENTS")
    with errors(), err.status("loading the student"):
        return asyncio.run(_recolor(settings_of(**NO_TRAFFIC, **({"model": model} if model else {})), intents))


def grade_of(look: str, model: str) -> Grade:
    """The whole grade of one look. Raises typer.Exit where a tool could not be decided."""
    recoloring = graded([look], model)[0]
    if recoloring.failed:
        reasons = ", ".join(f"{tool} ({reason})" for tool, reason in recoloring.failed.items())
        err.print(f"recolor: no settings for {look!r}: {reasons}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1)
    return Grade.of(recoloring.tools)


def chosen_grade(look: str, file: Path | None, model: str) -> Grade:
    """The grade that a command is to use: of a look, or of a file. Raises typer.BadParameter, typer.Exit."""
    if bool(look.strip()) == (file is not None):
        raise typer.BadParameter("give either a look or --grade", param_hint="LOOK")
    if file is None:
        return grade_of(look, model)
    try:
        return Grade.parse(strict_json.read(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{file}: {error}", param_hint="--grade") from None


async def _recolor(settings: Settings, intents: list[str]) -> list["Recoloring"]:
    """Each intent's answer by the very way that the service takes. Raises StartError, EngineError, ModelStoreError."""
    from app.main import build_recolorer
    from app.serving import RecolorRequest, Unavailable

    try:
        recolorer = build_recolorer(settings)
    except ValueError as error:
        raise StartError(str(error)) from None
    await recolorer.start()
    try:
        return [await recolorer.recolor(RecolorRequest(intent)) for intent in intents]
    except Unavailable as error:
        raise EngineError(str(error)) from None
    finally:
        await recolorer.close()


def _plain(intent: str, recoloring: "Recoloring") -> dict[str, Any]:
    tools = {tool: settings and settings.model_dump() for tool, settings in recoloring.tools.items()}
    return {"intent": intent, **tools, "sources": recoloring.sources, "failed": recoloring.failed}


def _bars(intent: str, recoloring: "Recoloring") -> Table:
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

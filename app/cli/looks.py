"""`recolor grade`: looks in words become settings, by the very way that the service takes."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from app.cli.console import Model, err, errors, out, settings_of
from app.grade import TOOLS, Grade, fold
from app.settings import Settings

if TYPE_CHECKING:
    from app.serving import Recoloring

BAR = 20
"""Characters from one end of a parameter's range to the other."""


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
    from app.main import StartError
    from app.serving import Unavailable

    if not all(map(fold, intents)):
        raise typer.BadParameter("a look has at least one visible character", param_hint="INTENTS")
    with errors(StartError, Unavailable), err.status("loading the student"):
        return asyncio.run(_recolor(settings_of(**({"model": model} if model else {})), intents))


def grade_of(look: str, model: str) -> Grade:
    """The whole grade of one look. Raises typer.Exit where a tool could not be decided."""
    recoloring = graded([look], model)[0]
    if recoloring.failed:
        reasons = ", ".join(f"{tool} ({reason})" for tool, reason in recoloring.failed.items())
        err.print(f"recolor: no settings for {look!r}: {reasons}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1)
    return Grade.of(recoloring.tools)


async def _recolor(settings: Settings, intents: list[str]) -> list["Recoloring"]:
    """Each intent's answer by the very way that the service takes. Raises StartError, and what the service raises."""
    from app.main import StartError, build_recolorer
    from app.serving import RecolorRequest

    try:
        recolorer = build_recolorer(settings)
    except ValueError as error:
        raise StartError(str(error)) from None
    await recolorer.start()
    try:
        return [await recolorer.recolor(RecolorRequest(intent)) for intent in intents]
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

"""The command line. Here the parts are wired together, no more; one module a group of commands."""

from typing import Annotated

import typer

from app import __version__
from app.cli.augmenting import augment
from app.cli.canary import canary
from app.cli.collecting import collect
from app.cli.comparing import compare, split
from app.cli.console import settings_of
from app.cli.distilling import distill
from app.cli.events import events
from app.cli.experiments import experiment
from app.cli.exports import export, lut
from app.cli.looks import grade
from app.cli.models import models
from app.cli.pictures import apply
from app.cli.reality import reality_check
from app.cli.scoring import evaluate
from app.cli.simulating import simulate
from app.cli.training import train

cli = typer.Typer(
    help="A typed look in, the settings of three editing tools out. Settings come from RECOLOR_… variables.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@cli.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="RECOLOR_PORT, or 8000")] = None,
) -> None:
    """Serve POST /recolor until interrupted."""
    from app.main import serve as serve_forever

    serve_forever(settings_of() if port is None else settings_of(port=port))


LOOP = (simulate, collect, split, train, evaluate, compare, augment, distill, reality_check)
for command in (grade, apply, export, lut, *LOOP, canary):
    cli.command()(command)
cli.add_typer(models, name="models")
cli.add_typer(events, name="events")
cli.add_typer(experiment, name="experiment")


@cli.callback(invoke_without_command=True)
def _version(show: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if show:
        print(__version__)
        raise typer.Exit


def main() -> None:
    cli()

"""`recolor export`, `recolor lut`: a look for other editors, as a LUT, a Lightroom preset or profile, or JSON."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import Model, err, out
from app.cli.looks import chosen_grade
from app.grade import Grade

ENDINGS = (".cube", ".xmp", ".json")

Look = Annotated[str, typer.Argument(help='The look, e.g. "golden hour".', show_default="with --grade: none")]
GradeFile = Annotated[Path | None, typer.Option("--grade", help="JSON of a grade, instead of a look.")]
Size = Annotated[int, typer.Option(min=2, max=65, help="Points an axis of a LUT; editors take 17, 33 or 65.")]
Strength = Annotated[int, typer.Option(min=0, max=100, help="How much of the look, in percent.")]


def export(
    look: Look = "",
    output: Annotated[
        list[Path], typer.Option("--output", "-o", help="A .cube, .xmp or .json file; may be given several times.")
    ] = ...,  # type: ignore[assignment]
    size: Size = 33,
    strength: Strength = 100,
    profile: Annotated[
        bool, typer.Option("--profile", help="Make the .xmp a profile of exact colours instead of a preset of sliders.")
    ] = False,
    grade_file: GradeFile = None,
    model: Model = "",
) -> None:
    """Write a look for other editors.

    look.cube: a 3D LUT, which most editors of photos and videos read.

    look.xmp: a preset of sliders for Lightroom, which comes near the look; with --profile, its exact colours.

    look.json: the grade, for --grade.

    Example: recolor export "golden hour" -o look.cube -o look.xmp

    Example: recolor export --grade look.json -o look.cube --size 65 --strength 70
    """
    endings = [_ending(file, *ENDINGS) for file in output]
    if profile and ".xmp" not in endings:
        raise typer.BadParameter("only an .xmp file can be a profile", param_hint="--profile")
    if strength < 100 and ".json" in endings:
        raise typer.BadParameter("a .json file holds the grade at full strength", param_hint="--strength")
    grade = chosen_grade(look, grade_file, model)
    title = look or (grade_file.stem if grade_file else "")
    if grade == Grade():
        _note("the look uses no tool: it changes nothing")
    for file, ending in zip(output, endings, strict=True):
        match ending:
            case ".cube":
                _cube(file, grade, title, size, strength)
            case ".xmp" if profile:
                _profile(file, grade, title, strength)
            case ".xmp":
                _preset(file, grade, title, strength)
            case _:
                _save(file, json.dumps(grade.plain(), indent=2) + "\n")


def lut(
    look: Look = "",
    output: Annotated[Path, typer.Option("--output", "-o", help="The .cube file to write.")] = ...,  # type: ignore[assignment]
    size: Size = 33,
    strength: Strength = 100,
    grade_file: GradeFile = None,
    model: Model = "",
) -> None:
    """Write a look as a .cube file, as export does.

    Example: recolor lut "golden hour" -o look.cube
    """
    _ending(output, ".cube")
    export(look, [output], size, strength, False, grade_file, model)


def _ending(file: Path, *endings: str) -> str:
    """The file's ending, if it is one of these and the file can be written."""
    if file.suffix.lower() not in endings:
        raise typer.BadParameter(f"{file} must end in {' or '.join(endings)}", param_hint="--output")
    if not file.resolve().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {file.parent}", param_hint="--output")
    return file.suffix.lower()


def _cube(file: Path, grade: Grade, title: str, size: int, strength: int) -> None:
    from app.render import compile_lut, write_cube

    _save(file, write_cube(compile_lut(grade, size, strength), title))
    _note_what_no_lut_holds(file, grade)


def _profile(file: Path, grade: Grade, title: str, strength: int) -> None:
    from app.render import write_profile

    _save(file, write_profile(grade, title, strength))
    _note_what_no_lut_holds(file, grade)


def _preset(file: Path, grade: Grade, title: str, strength: int) -> None:
    from app.render import write_xmp

    _save(file, write_xmp(grade, title, strength))
    if grade.adjust and grade.adjust.bloom:
        _note(f"{file} is without bloom {grade.adjust.bloom}: Lightroom has nothing like it")


def _note_what_no_lut_holds(file: Path, grade: Grade) -> None:
    from app.render import spatial_steps

    if steps := ", ".join(f"{name} {amount}" for name, amount in spatial_steps(grade).items()):
        _note(f"{file} is without {steps}: a LUT changes every pixel for itself")


def _save(file: Path, text: str) -> None:
    """The whole file or, where it cannot be written, what there was before."""
    draft = file.with_name(f".{file.name}.part")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        _note(f"{file}: {error.strerror}")
        raise typer.Exit(1) from None
    out.print(f"wrote {file}", markup=False, highlight=False, soft_wrap=True)


def _note(text: str) -> None:
    err.print(f"recolor: {text}", markup=False, highlight=False, soft_wrap=True)

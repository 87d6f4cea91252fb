"""`recolor apply`, `recolor lut`: pictures under a look, and the look for other editors."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import Model, err, out, progress
from app.cli.looks import grade_of
from app.grade import Grade

PHOTOS = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp", ".tif": "tiff", ".tiff": "tiff"}


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
    grade = _read_grade(grade_file) if grade_file else grade_of(look, model)
    failed = 0
    with progress() as shown:
        for source, target in shown.track(jobs, description="rendering"):
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
    grade = grade_of(look, model)
    output.write_text(write_cube(compile_lut(grade, size, strength), look), encoding="utf-8")
    out.print(f"wrote {output}", markup=False, highlight=False)


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

"""`recolor apply`: pictures under a look."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import Model, err, progress
from app.cli.looks import chosen_grade

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

    jobs = _photo_jobs(photo, output)
    grade = chosen_grade(look, grade_file, model)
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

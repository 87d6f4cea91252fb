"""What every setting does to real photos, on sheets to be looked at: ``python -m benchmarks.contact_sheet``.

One JPEG a tool (``adjust.jpg``, ``selective_adjust.jpg``, ``filter.jpg``; more pages where one would be too long): a
row a setting, a column a photo, the untouched photos on top of every page. Numbers say whether a look is computed as
meant, only eyes whether it is worth having.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import skimage.data
import typer
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.grade import NO_PRESET, PRESETS, TOOLS, Adjust, Grade, SelectiveAdjust
from app.render import apply_grade
from app.render.photo import PhotoError, PhotoLimits, decode
from benchmarks.harness import BenchmarkError, run

SAMPLES = ("astronaut", "rocket", "coffee", "chelsea", "hubble_deep_field")
"""Photos of scikit-image: a portrait, a sky at dusk, food, fur, a night."""

ROWS_OF_A_PAGE = 12
LABEL_WIDTH, GAP = 150, 4

Row = tuple[str, Grade]
Picture = NDArray[np.uint8]


def main(
    photos: Annotated[list[Path] | None, typer.Argument(help="Photos; by default some of scikit-image.")] = None,
    tool: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(TOOLS)}; by default all.")] = None,
    only: Annotated[str, typer.Option(help="Only the settings whose name begins so, e.g. 'hue' or 'faded'.")] = "",
    width: Annotated[int, typer.Option(min=32, help="Of a photo on the sheet, in pixels.")] = 240,
    out: Annotated[Path, typer.Option(help="Folder for the sheets.")] = Path("contact-sheets"),
) -> None:
    """Sheets of every parameter in both directions and of every preset."""
    columns = [_fitted(picture, width) for picture in _pictures(photos or [])]
    out.mkdir(parents=True, exist_ok=True)
    for name in tool or TOOLS:
        if name not in ROWS:
            raise BenchmarkError(f"there is no tool {name!r}; name one of {', '.join(ROWS)}")
        rows = [(label, grade) for label, grade in ROWS[name]() if label.startswith(only)]
        for page, start in enumerate(range(0, len(rows), ROWS_OF_A_PAGE), 1):
            file = out / (f"{name}.jpg" if len(rows) <= ROWS_OF_A_PAGE else f"{name}-{page}.jpg")
            sheet(columns, [("original", Grade()), *rows[start : start + ROWS_OF_A_PAGE]]).save(file, quality=92)
            print(file)


def adjust_rows() -> Iterator[Row]:
    """Each parameter, from one end of its range to the other."""
    for slot in Adjust.slots():
        signed = min(slot.values) < 0  # type: ignore[type-var, operator]
        values = (-100, -40, 40, 100) if signed else (60, 120, 180, 240, 300) if slot.name == "hue" else (30, 100)
        for value in values:
            yield f"{slot.name} {value:+d}", Grade.parse({"adjust": {slot.name: value}})


def selective_rows() -> Iterator[Row]:
    for name in SelectiveAdjust.model_fields:
        for parameter in ("saturation", "luminance"):
            for value in (-100, -40, 40, 100):
                grade = Grade.parse({"selective_adjust": {name: {parameter: value}}})
                yield f"{name} {parameter[:3]} {value:+d}", grade


def filter_rows() -> Iterator[Row]:
    for name in PRESETS:
        if name != NO_PRESET:
            yield name, Grade.parse({"filter": {"name": name, "intensity": 100}})


ROWS: Mapping[str, Callable[[], Iterator[Row]]] = {
    "adjust": adjust_rows,
    "selective_adjust": selective_rows,
    "filter": filter_rows,
}


def sheet(columns: Sequence[Picture], rows: Sequence[Row]) -> Image.Image:
    """A row a grade, its name before it."""
    height = max(picture.shape[0] for picture in columns)
    width = LABEL_WIDTH + sum(picture.shape[1] + GAP for picture in columns)
    page = Image.new("RGB", (width, len(rows) * (height + GAP)), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    for index, (label, grade) in enumerate(rows):
        top, left = index * (height + GAP), LABEL_WIDTH
        draw.text((4, top + height // 2 - 8), label, fill="black", font=font)
        for picture in columns:
            page.paste(Image.fromarray(np.asarray(apply_grade(picture, grade))), (left, top))
            left += picture.shape[1] + GAP
    return page


def _pictures(paths: Sequence[Path]) -> Iterator[Image.Image]:
    for path in paths:
        try:
            yield Image.fromarray(decode(path.read_bytes(), PhotoLimits()).rgb.astype(np.uint8))
        except (OSError, PhotoError) as error:
            raise BenchmarkError(f"{path}: {error}") from error
    if not paths:
        for name in SAMPLES:
            yield Image.fromarray(getattr(skimage.data, name)()).convert("RGB")


def _fitted(picture: Image.Image, width: int) -> Picture:
    height = max(1, round(picture.height * width / picture.width))
    return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))


if __name__ == "__main__":
    run(main)

"""The README's picture: ``python -m benchmarks.picture`` writes ``benchmarks/reality-check.jpg``.

Looks of the embedded student on one photo, then the teacher's answer beside the student's on others. Every intent is of
the test split: none was trained on. The last pair is there because the student misses it.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image, ImageDraw, ImageOps

from app.distill.dataset import read_dataset
from app.distill.reality.difference import Pixels
from app.distill.reality.errors import RealityError
from app.distill.reality.pairs import Pair, named, pairs
from app.distill.reality.photos import Photo, read_photos
from app.distill.reality.sheet import font
from app.distill.reality.trials import Trial, trials
from app.settings import CHECKOUT, Settings
from app.students import load_engine
from benchmarks.harness import BenchmarkError, run

LOOKS = (
    "blue hour",
    "dramatic sunset",
    "foggy morning",
    "cyberpunk",
    "1970s",
    "matrix green",
    "mexico movie filter",
)
"""On PHOTO, behind the original."""
PHOTO = "pagoda"
BESIDE = (("fairytale", "portrait"), ("dark academia", "coffee"), ("joker", "raccoon"), ("gta vice city", "rocket"))
"""Intent and photo of each pair."""

PICTURE = CHECKOUT / "benchmarks" / "reality-check.jpg"
LARGEST = 250_000
"""Bytes of the file at most."""
_WIDTH, _MARGIN, _GAP, _COLUMNS = 1600, 36, 16, 4
_CELL = (_WIDTH - 2 * _MARGIN - (_COLUMNS - 1) * _GAP) // _COLUMNS
_GROUND, _BRIGHT, _DIM = (38, 38, 39), (240, 240, 240), (170, 170, 172)
_CAPTION, _SMALL = 27, 21


def main(output: Annotated[Path, typer.Option(help="The JPEG to write.")] = PICTURE) -> None:
    """Render what the README shows first."""
    try:
        photos = {photo.name: photo for photo in read_photos(CHECKOUT / "model_store" / "photos")}
        graded = {pair.intent: pair for pair in _pairs([*LOOKS, *(intent for intent, _ in BESIDE)])}
    except RealityError as error:
        raise BenchmarkError(str(error)) from None
    looks = [graded[intent] for intent in LOOKS]
    beside = [_trial(graded[intent], photos[name]) for intent, name in BESIDE]
    output.write_bytes(_jpeg(_picture(photos[PHOTO], looks, beside)))
    print(f"wrote {output}, {output.stat().st_size / 1000:.0f} KB")


def _pairs(intents: Sequence[str]) -> list[Pair]:
    rows = [row for row in read_dataset(CHECKOUT / "model_store" / "datasets" / "teacher.jsonl") if row.split == "test"]
    return pairs(load_engine(Settings()), named(rows, intents))[0]


def _trial(pair: Pair, photo: Photo) -> Trial:
    return next(trials([pair], [photo], _WIDTH))


def _picture(photo: Photo, looks: Sequence[Pair], beside: Sequence[Trial]) -> Image.Image:
    cells = [_look(photo.pixels, "original", _DIM)]
    cells += [_look(photo.under(pair.student), f"“{pair.intent}”", _BRIGHT) for pair in looks]
    rows = [
        _heading("Type a look, and get the settings that give it. None of these was seen in training."),
        *_rows(cells),
        _heading("The teacher, a large model, beside its student"),
        *_rows([_side_by_side(trial) for trial in beside]),
    ]
    height = 2 * _MARGIN + sum(row.height for row in rows) + (len(rows) - 1) * _GAP
    made = Image.new("RGB", (_WIDTH, height), _GROUND)
    top = _MARGIN
    for row in rows:
        made.paste(row, (_MARGIN, top))
        top += row.height + _GAP
    return made


def _rows(cells: Sequence[Image.Image]) -> Iterator[Image.Image]:
    for start in range(0, len(cells), _COLUMNS):
        row = Image.new("RGB", (_WIDTH - 2 * _MARGIN, cells[start].height), _GROUND)
        for column, cell in enumerate(cells[start : start + _COLUMNS]):
            row.paste(cell, (column * (_CELL + _GAP), 0))
        yield row


def _look(pixels: Pixels, caption: str, colour: tuple[int, int, int]) -> Image.Image:
    return _captioned(ImageOps.fit(Image.fromarray(pixels), (_CELL, _CELL * 2 // 3)), caption, colour)


def _side_by_side(trial: Trial) -> Image.Image:
    side = (_CELL - 4) // 2
    both = Image.new("RGB", (_CELL, side + _SMALL + 10), _GROUND)
    draw = ImageDraw.Draw(both)
    for name, pixels, left in (("teacher", trial.teacher, 0), ("student", trial.student, side + 4)):
        draw.text((left + side / 2, _SMALL), name, _DIM, font(_SMALL), anchor="ms")
        both.paste(ImageOps.fit(Image.fromarray(pixels), (side, side)), (left, _SMALL + 10))
    return _captioned(both, f"“{trial.intent}”", _BRIGHT)


def _captioned(picture: Image.Image, caption: str, colour: tuple[int, int, int]) -> Image.Image:
    made = Image.new("RGB", (picture.width, picture.height + _CAPTION + 18), _GROUND)
    made.paste(picture)
    middle = picture.width / 2, picture.height + 8
    ImageDraw.Draw(made).text(middle, caption, colour, font(_CAPTION), anchor="ma")
    return made


def _heading(text: str) -> Image.Image:
    made = Image.new("RGB", (_WIDTH - 2 * _MARGIN, _CAPTION + 14), _GROUND)
    ImageDraw.Draw(made).text((0, 2), text, _BRIGHT, font(_CAPTION))
    return made


def _jpeg(picture: Image.Image) -> bytes:
    """As good as fits into LARGEST."""
    for quality in range(92, 50, -2):
        output = BytesIO()
        picture.save(output, "JPEG", quality=quality, optimize=True, progressive=True)
        if len(output.getvalue()) <= LARGEST:
            return output.getvalue()
    raise BenchmarkError(f"the picture does not fit into {LARGEST} bytes")


if __name__ == "__main__":
    run(main)

"""The contact sheet: a row an intent; the original, the teacher's edit and the student's side by side.

The ground is a neutral dark grey, as in a grading suite: no colour beside a picture tints it. The font is the one that
Pillow carries, so that a sheet looks the same on every machine.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from unicodedata import category, normalize

import emoji
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

from app.distill.reality.difference import Pixels
from app.distill.reality.trials import Trial

ROWS = 20
"""Intents on one sheet; more take further sheets."""
PICTURE = 420
"""Longer side of a picture on the sheet, in pixels."""
TALLEST = 300
"""Height of a picture at most."""

COLUMNS = ("original", "teacher", "student")
_MARGIN, _GAP, _WORDS = 48, 20, 300
_GROUND, _CARD, _BRIGHT, _DIM = (46, 46, 47), (56, 56, 57), (240, 240, 240), (164, 164, 166)
_TITLE, _HEADING, _INTENT, _SMALL = 36, 22, 27, 19
_NO_GLYPH = frozenset({"Mn", "Cf"})
"""Accents apart from their letters, and invisible characters."""


def contact_sheets(trials: Iterable[Trial], title: str, note: str) -> Iterator[Image.Image]:
    """One picture for every ROWS trials; `note` is a line below the title. Trials are taken as they are needed."""
    left = iter(trials)
    number = 1
    while page := list(islice(left, ROWS)):
        yield _sheet(page, title, f"{note} · sheet {number}" if number > 1 else note)
        number += 1


def _sheet(trials: Sequence[Trial], title: str, note: str) -> Image.Image:
    rows = [_row(trial) for trial in trials]
    top = _MARGIN + _TITLE + 16 + _SMALL + 34 + _HEADING + 14
    width = 2 * _MARGIN + rows[0].width
    height = top + sum(row.height + _GAP for row in rows) - _GAP + _MARGIN
    sheet = Image.new("RGB", (width, height), _GROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN), printable(title), _BRIGHT, font(_TITLE))
    draw.text((_MARGIN, _MARGIN + _TITLE + 16), printable(note), _DIM, font(_SMALL))
    for index, column in enumerate(COLUMNS):
        middle = _MARGIN + _WORDS + index * (PICTURE + _GAP) + PICTURE / 2
        draw.text((middle, top - 14), column, _DIM, font(_HEADING), anchor="ms")
    for row in rows:
        sheet.paste(row, (_MARGIN, top))
        top += row.height + _GAP
    return sheet


def _row(trial: Trial) -> Image.Image:
    pictures = [fitted(pixels, PICTURE, TALLEST) for pixels in (trial.source, trial.teacher, trial.student)]
    width, height = _WORDS + 3 * PICTURE + 2 * _GAP, max(picture.height for picture in pictures)
    row = Image.new("RGB", (width, height), _GROUND)
    draw = ImageDraw.Draw(row)
    y = 2
    for line in wrapped(f"“{trial.intent}”", font(_INTENT), _WORDS - 28, lines=4):
        draw.text((0, y), line, _BRIGHT, font(_INTENT))
        y += _INTENT + 8
    draw.text((0, y + 6), printable(f"{trial.domain or 'no domain'} · on {trial.photo}"), _DIM, font(_SMALL))
    draw.text((0, y + 12 + _SMALL), f"{in_words(trial.apart)}: {trial.apart:.1f}", _DIM, font(_SMALL))
    for index, picture in enumerate(pictures):
        left = _WORDS + index * (PICTURE + _GAP)
        draw.rectangle((left, 0, left + PICTURE - 1, height - 1), _CARD)
        row.paste(picture, (left + (PICTURE - picture.width) // 2, (height - picture.height) // 2))
    return row


def in_words(apart: float) -> str:
    """A mean CIEDE2000 difference in words that need no scale."""
    for least, words in ((10, "far apart"), (5, "plain to see"), (2, "close"), (0.5, "very close")):
        if apart >= least:
            return words
    return "the same"


def fitted(pixels: Pixels, width: int, height: int) -> Image.Image:
    """The whole picture within a box, never enlarged."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((width, height), Image.Resampling.LANCZOS)
    return picture


@cache
def font(size: int) -> FreeTypeFont:
    """The font that Pillow carries (Aileron), in pixels."""
    loaded = ImageFont.load_default(size)
    if not isinstance(loaded, FreeTypeFont):
        raise RuntimeError("this build of Pillow has no FreeType: install Pillow from its wheel")
    return loaded


def wrapped(text: str, face: FreeTypeFont, width: int, lines: int) -> list[str]:
    """The text in at most so many lines of at most `width` pixels; what does not fit ends in an ellipsis."""
    made = [""]
    for word in printable(text).split():
        longer = f"{made[-1]} {word}".strip()
        if face.getlength(longer) <= width or not made[-1]:
            made[-1] = longer
        else:
            made.append(word)
    cut = made[:lines]
    if len(made) > lines:
        cut[-1] += "…"
    return [_shortened(line, face, width) for line in cut]


def printable(text: str) -> str:
    """The text in glyphs that the font has, which are few: emoji by their names, letters without their accents.

    What it has nothing for becomes a question mark.
    """
    named = emoji.demojize(text, delimiters=("[", "]"))
    return "".join(map(_drawn, named.replace("_", " ")))


@cache
def _drawn(character: str) -> str:
    if category(character) != "Cf" and _has_glyph(character):
        return character
    plain = "".join(part for part in normalize("NFKD", character.replace("ß", "ss")) if category(part) not in _NO_GLYPH)
    return "".join(part if _has_glyph(part) else "?" for part in plain)


def _has_glyph(character: str) -> bool:
    face = font(_SMALL)
    return character.isspace() or bytes(face.getmask(character)) != bytes(face.getmask("\U0010ffff"))


def _shortened(line: str, face: FreeTypeFont, width: int) -> str:
    while face.getlength(line) > width and len(line) > 1:
        line = line[:-2].rstrip() + "…"
    return line

"""LUTs as `.cube` text, the format that editors exchange (Adobe, "Cube LUT Specification", version 1.0).

    TITLE "golden hour"
    LUT_3D_SIZE 33
    DOMAIN_MIN 0 0 0
    DOMAIN_MAX 1 1 1
    0.000000 0.000000 0.000000      size³ rows; red changes fastest, blue slowest

Only 3D LUTs are read. One over another domain than 0..1 is resampled, for a picture has colours there only.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.render.colour import Array
from app.render.lut import MAX_SIZE, Lut
from app.render.title import one_line

# Readers hold a line in a buffer of fixed length (ffmpeg: 512 bytes).
_LONGEST_TITLE = 100

_DECIMALS = 6


class CubeError(ValueError):
    """Text that is not a 3D LUT; the message names the line where there is one."""


def write(lut: Lut, title: str = "") -> str:
    """The LUT as text, with six decimals. What a title cannot hold (quotes, line ends) is replaced."""
    plain = one_line(title, _LONGEST_TITLE).replace('"', "'")
    header = f'TITLE "{plain}"\nLUT_3D_SIZE {lut.size}\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1\n'
    return header + _rows(lut.red_first())


def read(text: str) -> Lut:
    """The LUT of a text. Colours beyond 0..1 are clipped, since no picture can show them. Raises CubeError."""
    header, rows = _Header(), []
    # Not splitlines: a title may hold characters that Unicode, but no other reader, takes for the end of a line.
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0][0].isalpha() and words[0].lower() not in {"nan", "inf", "infinity"}:
            header.take(number, words)
        elif "_" in line or not line.isascii():  # Python's numbers, not the format's: 1_0, ١
            raise _no_numbers(number, words, 3)
        else:
            rows.append((number, words))
    if header.size == 0:
        raise CubeError("LUT_3D_SIZE is missing")
    if len(rows) != header.size**3:
        raise CubeError(f"a LUT of size {header.size} has {header.size**3} rows, not {len(rows)}")
    colours = _colours(rows).reshape(header.size, header.size, header.size, 3).transpose(2, 1, 0, 3)
    return header.over_unit_domain(Lut(np.clip(colours, 0, 1)))


@dataclass(slots=True)
class _Header:
    """What the lines with a keyword say."""

    size: int = 0
    low: Array = field(default_factory=lambda: np.zeros(3, np.float32))
    high: Array = field(default_factory=lambda: np.ones(3, np.float32))

    def take(self, number: int, words: list[str]) -> None:
        keyword, values = words[0], words[1:]
        match keyword:
            case "TITLE":
                pass
            case "LUT_3D_SIZE":
                self.size = _size(number, values)
            case "DOMAIN_MIN":
                self.low = _numbers(number, values, 3)
            case "DOMAIN_MAX":
                self.high = _numbers(number, values, 3)
            case "LUT_3D_INPUT_RANGE":  # DaVinci Resolve's way to say the domain
                low, high = _numbers(number, values, 2)
                self.low, self.high = np.full(3, low, np.float32), np.full(3, high, np.float32)
            case "LUT_1D_SIZE" | "LUT_1D_INPUT_RANGE":
                raise CubeError(f"line {number}: a 1D LUT, only 3D LUTs can be read")
            case _:
                raise CubeError(f"line {number}: neither a keyword nor three numbers: {' '.join(words)[:60]!r}")

    def over_unit_domain(self, lut: Lut) -> Lut:
        if (self.low >= self.high).any():
            raise CubeError("DOMAIN_MIN must be below DOMAIN_MAX")
        if (self.low == 0).all() and (self.high == 1).all():
            return lut
        return Lut.of(lambda rgb: lut.apply((rgb - self.low) / (self.high - self.low)), lut.size)


def _size(number: int, values: list[str]) -> int:
    if len(values) == 1 and values[0].isascii() and values[0].isdigit() and 2 <= int(values[0][:9]) <= MAX_SIZE:
        return int(values[0])
    raise CubeError(f"line {number}: LUT_3D_SIZE is a whole number 2..{MAX_SIZE}, not {' '.join(values)[:60]!r}")


def _colours(rows: list[tuple[int, list[str]]]) -> Array:
    try:
        with np.errstate(over="ignore"):  # too large becomes infinite, and is found below
            colours = np.array([list(map(float, words)) for _, words in rows], np.float32)
    except ValueError:
        return np.stack(list(_one_by_one(rows)))
    if colours.shape[1:] != (3,) or not np.isfinite(colours).all():
        return np.stack(list(_one_by_one(rows)))
    return colours


def _one_by_one(rows: Iterable[tuple[int, list[str]]]) -> Iterator[Array]:
    """Slowly, to find the line that is wrong."""
    for number, words in rows:
        yield _numbers(number, words, 3)


def _numbers(number: int, words: list[str], count: int) -> Array:
    try:
        with np.errstate(over="ignore"):
            values = np.array([float(word) for word in words], np.float32)
    except ValueError:
        raise _no_numbers(number, words, count) from None
    if len(values) != count or not np.isfinite(values).all():
        raise _no_numbers(number, words, count)
    return values


def _no_numbers(number: int, words: list[str], count: int) -> CubeError:
    return CubeError(f"line {number}: expected {count} finite numbers, found {' '.join(words)[:60]!r}")


def _rows(colours: Array) -> str:
    """Numbers 0..1 as text, all rows at once: formatted one by one they would take longer than the LUT itself."""
    scaled = np.rint(colours.astype(np.float64) * 10**_DECIMALS).astype(np.int64)
    text: NDArray[np.uint8] = np.full((*colours.shape, _DECIMALS + 3), ord(" "), np.uint8)
    text[..., 0], text[..., 1] = ord("0") + scaled // 10**_DECIMALS, ord(".")
    for place in range(_DECIMALS):
        text[..., _DECIMALS + 1 - place] = ord("0") + scaled // 10**place % 10
    text[:, -1, -1] = ord("\n")
    return text.tobytes().decode("ascii")

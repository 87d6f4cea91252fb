"""Large pictures in bands of rows: little memory beside the picture, on as many threads as PyTorch may use.

What is computed on a band has its channels first, [3, rows, W], float32 0..1: whole planes are several times as fast
as every third number.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from app.render.colour import Array
from app.render.memory import reuse_memory

Picture = NDArray[Any]
"""Encoded sRGB, shape [H, W, 3]: uint8, uint16, or float32 0..1."""

_PIXELS = 1 << 17  # of a band: its planes stay near the processor, and each of the threads gets several bands

_OF_BYTES = (np.arange(256) / 255).astype(np.float32)


def in_bands(picture: Picture, work: Callable[[slice], None]) -> None:
    """`work` for rows of the picture, until all rows were in one band. Raises what `work` raises."""
    reuse_memory()
    height, width = picture.shape[:2]
    step = max(1, _PIXELS // width)
    bands = [slice(start, min(start + step, height)) for start in range(0, height, step)]
    if len(bands) == 1 or torch.get_num_threads() == 1:
        for band in bands:
            work(band)
        return
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        list(threads.map(work, bands))


def planes(band: Picture) -> Array:
    """A new array [3, rows, W] of the pixels [rows, W, 3]."""
    result = np.empty((3, *band.shape[:2]), np.float32)
    for index, plane in enumerate(result):
        if band.dtype == np.uint8:
            np.take(_OF_BYTES, band[..., index], out=plane, mode="clip")
        elif band.dtype == np.uint16:
            np.multiply(band[..., index], np.float32(1 / 65535), out=plane)
        else:
            plane[...] = band[..., index]
    return result


def store(values: Array, band: Picture) -> None:
    """The planes [3, rows, W], within 0..1, as pixels [rows, W, 3] of the type that they have; `values` are used up."""
    if np.issubdtype(band.dtype, np.integer):
        values *= np.float32(np.iinfo(band.dtype).max)
        values += np.float32(0.5)
    for index, plane in enumerate(values):
        np.copyto(band[..., index], plane, casting="unsafe")


def shrunk(picture: Picture, side: int) -> Array:
    """A copy whose longer side is at most `side`, each pixel the mean of those it stands for: planes [3, h, w]."""
    height, width = picture.shape[:2]
    shrink = min(1, side / max(height, width))
    if shrink == 1:
        return planes(picture)
    rows, columns = (max(1, round(length * shrink)) for length in (height, width))
    lines = _means(picture.reshape(height, width * 3), rows).reshape(rows, width, 3)
    pixels = _means(np.ascontiguousarray(lines.transpose(1, 2, 0)).reshape(width, 3 * rows), columns)
    small = pixels.reshape(columns, 3, rows).transpose(1, 2, 0)
    full = np.iinfo(picture.dtype).max if np.issubdtype(picture.dtype, np.integer) else 1
    return np.ascontiguousarray(small) / np.float32(full)


class Grown:
    """Small planes [n, h, w] at the size of a picture, bilinear, band by band as they are needed.

    Args:
        small: the planes.
        height, width: of the picture.
    """

    def __init__(self, small: Array, height: int, width: int) -> None:
        self._small = small
        self._below, self._share = _places(small.shape[1], height)
        self._left, self._across = _places(small.shape[2], width)
        self._right = np.minimum(self._left + 1, small.shape[2] - 1)

    def __call__(self, rows: slice) -> Array:
        """A new array [n, rows, W]."""
        below, share = self._below[rows], self._share[rows, None]
        first = below[0]
        lines = self._wide(slice(first, below[-1] + 2))
        result = np.empty((len(lines), len(below), lines.shape[2]), np.float32)
        for line in range(first, below[-1] + 1):
            start, stop = np.searchsorted(below, (line, line + 1))
            upper = lines[:, line - first, None]
            lower = lines[:, min(line + 1 - first, lines.shape[1] - 1), None]
            np.multiply(lower - upper, share[start:stop], out=result[:, start:stop])
            result[:, start:stop] += upper
        return result

    def _wide(self, lines: slice) -> Array:
        """Some of the small lines at the width of the picture."""
        small = self._small[:, lines]
        # Not by an index in brackets, whose result lies in another order in memory.
        left, right = np.take(small, self._left, axis=2), np.take(small, self._right, axis=2)
        right -= left
        right *= self._across
        right += left
        return np.asarray(right)


def _means(lines: NDArray[Any], count: int) -> Array:
    """`count` means over the first axis, each of the lines that it covers, those it covers in part included."""
    length = len(lines)
    total = {1: np.uint32, 2: np.uint64}.get(lines.itemsize, np.float32)
    result = np.empty((count, lines.shape[1]), np.float32)
    for index in range(count):
        start, end = index * length // count, -(-(index + 1) * length // count)
        np.divide(np.add.reduce(lines[start:end], axis=0, dtype=total), end - start, out=result[index])
    return result


def _places(small: int, large: int) -> tuple[NDArray[np.intp], Array]:
    """For each of `large` pixels, which of the `small` lies before it, and how far it is on its way to the next."""
    at = np.clip((np.arange(large) + 0.5) * small / large - 0.5, 0, small - 1)
    below = np.minimum(at.astype(np.intp), max(small - 2, 0))
    return below, (at - below).astype(np.float32)

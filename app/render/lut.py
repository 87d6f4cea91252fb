"""A 3D look-up table: what a pointwise grade does, sampled on a grid of colours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from app.render.colour import Array, joined
from app.render.memory import reuse_memory

MAX_SIZE = 65
"""The most points an axis: the largest LUT that is exported."""


@dataclass(frozen=True, eq=False, slots=True)
class Lut:
    """The colours of a grid over the RGB cube, evenly spaced over 0..1.

    Attributes:
        table: float32 [n, n, n, 3], indexed [red, green, blue]; finite, within 0..1, read-only.
    """

    table: Array

    def __post_init__(self) -> None:
        table = np.array(self.table, np.float32)
        if table.ndim != 4 or table.shape != (len(table), len(table), len(table), 3):
            raise ValueError(f"a LUT has shape [n, n, n, 3], not {list(table.shape)}")
        if not 2 <= len(table) <= MAX_SIZE:
            raise ValueError(f"a LUT has 2 to {MAX_SIZE} points an axis, not {len(table)}")
        if not (table.min() >= 0 and table.max() <= 1):
            raise ValueError("the colours of a LUT are within 0..1")
        table.flags.writeable = False
        object.__setattr__(self, "table", table)

    @property
    def size(self) -> int:
        """Points an axis."""
        return len(self.table)

    @classmethod
    def of(cls, function: Callable[[Array], Array], size: int) -> Self:
        """Sample a function of encoded sRGB, [..., 3] to the same shape. What leaves 0..1 is clipped."""
        reuse_memory()
        points = np.linspace(0, 1, size, dtype=np.float32)
        grid = joined(*np.meshgrid(points, points, points, indexing="ij"))
        return cls(np.clip(function(grid), 0, 1))

    def apply(self, rgb: NDArray[Any]) -> NDArray[Any]:
        """The colours of `rgb`, trilinear between the points of the grid.

        Args:
            rgb: shape [..., 3], uint8, uint16 or finite floats; floats below 0 count as 0, above 1 as 1.

        Returns:
            A new array of the same shape: uint8 for uint8, uint16 for uint16, else float32.
        """
        from app.render.looking_up import look_up

        whole = rgb.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}
        result = np.array(rgb, rgb.dtype if whole else np.float32, order="C")
        look_up(self, result)
        return result

    def red_first(self) -> Array:
        """The colours in the order of files and textures, [n³, 3]: red changes fastest, blue slowest."""
        return np.ascontiguousarray(self.table.transpose(2, 1, 0, 3)).reshape(-1, 3)

"""A 3D look-up table: what a pointwise grade does, sampled on a grid of colours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from app.render.colour import Array, joined
from app.render.memory import reuse_memory

MAX_SIZE = 65
"""The most points an axis: the largest LUT that is exported, and that Pillow applies."""

# Colours looked up at once: so few that all steps stay in the processor's cache, and that PyTorch leaves them to the
# thread that asks.
_TILE = 1 << 14


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

    def apply(self, rgb: Array) -> Array:
        """The colours of `rgb`, trilinear between the points of the grid.

        Args:
            rgb: finite numbers, shape [..., 3]; below 0 counts as 0, above 1 as 1.

        Returns:
            A new float32 array of the same shape.
        """
        return np.ascontiguousarray(np.moveaxis(self.apply_to_planes(np.moveaxis(rgb, -1, 0)), 0, -1))

    def apply_to_planes(self, planes: Array) -> Array:
        """`apply` for colours whose channels come first, [3, ...]."""
        colours = np.array(planes, np.float32, order="C").reshape(3, -1)
        table, result = torch.from_numpy(self.table.reshape(-1, 3).T.copy()), np.empty_like(colours)
        for start in range(0, colours.shape[1], _TILE):
            tile = torch.from_numpy(colours[:, start : start + _TILE])
            result[:, start : start + _TILE] = _trilinear(table, self.size, tile).numpy()
        return result.reshape(planes.shape)

    def apply_8bit(self, image: Image.Image) -> Image.Image:
        """A picture of mode RGB, or RGBA (alpha is kept), looked up in whole numbers: several times faster."""
        return image.filter(ImageFilter.Color3DLUT(self.size, self.red_first().reshape(-1)))

    def red_first(self) -> Array:
        """The colours in the order of files and textures, [n³, 3]: red changes fastest, blue slowest."""
        return np.ascontiguousarray(self.table.transpose(2, 1, 0, 3)).reshape(-1, 3)


def _trilinear(planes: Tensor, size: int, rgb: Tensor) -> Tensor:
    """Colours [3, m] at `rgb` [3, m] of a table with one plane a channel, [3, size³]."""
    at = (rgb * (size - 1)).clamp(0, size - 1)
    # The last point belongs to the last cell, so that every cell has a neighbour above.
    cell = at.floor().clamp(max=size - 2)
    red, green, blue = at - cell
    corner = torch.tensordot(torch.tensor([size * size, size, 1]), cell.long(), dims=1)

    def along_blue(offset: int) -> Tensor:
        return torch.lerp(planes.index_select(1, corner + offset), planes.index_select(1, corner + offset + 1), blue)

    def along_green(offset: int) -> Tensor:
        return torch.lerp(along_blue(offset), along_blue(offset + size), green)

    return torch.lerp(along_green(0), along_green(size * size), red)

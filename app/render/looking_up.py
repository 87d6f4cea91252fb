"""Colours through a 3D LUT by OpenColorIO, several times as fast as by PyTorch or Pillow.

Imported where pictures are graded: a service that only answers with settings starts sooner without it.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import PyOpenColorIO
from numpy.typing import NDArray

if TYPE_CHECKING:
    from app.render.lut import Lut

_DEPTHS = {
    np.dtype(np.uint8): PyOpenColorIO.BIT_DEPTH_UINT8,
    np.dtype(np.uint16): PyOpenColorIO.BIT_DEPTH_UINT16,
    np.dtype(np.float32): PyOpenColorIO.BIT_DEPTH_F32,
}


def look_up(lut: "Lut", colours: NDArray[Any]) -> None:
    """Replace colours [..., 3] of one of the types above, without gaps in memory. Other threads go on meanwhile."""
    if colours.size == 0:
        return
    pixels, depth = colours.size // 3, _DEPTHS[colours.dtype]
    strides = (colours.itemsize, 3 * colours.itemsize, colours.nbytes)
    _processor(lut, depth).apply(PyOpenColorIO.PackedImageDesc(colours, pixels, 1, 3, depth, *strides))


@lru_cache(maxsize=8)
def _processor(lut: "Lut", depth: Any) -> Any:
    """What applies the LUT to numbers of a type, in any thread."""
    table = PyOpenColorIO.Lut3DTransform(lut.size)
    table.setInterpolation(PyOpenColorIO.INTERP_LINEAR)
    table.setData(lut.table.reshape(-1))
    processor = PyOpenColorIO.Config.CreateRaw().getProcessor(table)
    return processor.getOptimizedCPUProcessor(depth, depth, PyOpenColorIO.OPTIMIZATION_LOSSLESS)

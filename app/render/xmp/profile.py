"""A grade as a Camera Raw profile: the table of the pointwise grade itself, so that colours are ours.

Lightroom lists it among the profiles, leaves all sliders to the photographer, and has an amount slider for it, 0 to
200. Bloom, sharpen and structure are not in it, as in any LUT.

The table is that of the DNG specification 1.6 (`RGBTables`): encoded sRGB in and out, 32 points an axis, which is the
most that Camera Raw reads. In XMP it is deflated and written in the 85 characters below, named by its MD5.

    uint32 1 (an RGB table), 1 (version), 3 (dimensions), 32 (points)
    uint16 red, green, blue of every point less those of the point itself; blue changes fastest
    uint32 0 (sRGB primaries), 1 (sRGB curve), 0 (other colours are clipped)
    float64 0, 2 (least and largest amount)
"""

import hashlib
import struct
import zlib

import numpy as np

from app.grade import Grade
from app.render.lut import Lut
from app.render.pipeline import compile_lut
from app.render.spatial_steps import spatial_steps
from app.render.xmp import packet

SIZE = 32

_DIGITS = np.frombuffer(
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?`'|()[]{}@%$#", np.uint8
)


def write_profile(grade: Grade, name: str, strength: float = 100) -> str:
    """The profile as an XMP packet; equal arguments give equal text.

    Args:
        grade: the settings of the three tools.
        name: what Lightroom lists the profile as; what cannot be shown is dropped.
        strength: 0..100, how much of the look is blended in.

    Raises:
        ValueError: for a strength out of range.
    """
    table = _table(compile_lut(grade, SIZE, strength))
    key = hashlib.md5(table, usedforsecurity=False).hexdigest().upper()
    text = _base85(struct.pack("<I", len(table)) + zlib.compress(table))
    left_out = ", ".join(f"{step} {amount}" for step, amount in spatial_steps(grade).items())
    description = "The colours of the look, exactly." + (f" Left out: {left_out}." if left_out else "")
    settings = {"ConvertToGrayscale": "False", "RGBTable": key, f"Table_{key}": text}
    return packet.write("Look", name, description, settings)


def _table(lut: Lut) -> bytes:
    points = (np.arange(lut.size) * 0xFFFF + lut.size // 2) // (lut.size - 1)
    identity = np.stack(np.meshgrid(points, points, points, indexing="ij"), axis=-1)
    # Differences wrap around in their 16 bits.
    differences = np.rint(lut.table.astype(np.float64) * 0xFFFF).astype(np.int64) - identity
    head, foot = struct.pack("<4I", 1, 1, 3, lut.size), struct.pack("<3I2d", 0, 1, 0, 0.0, 2.0)
    body: bytes = (differences & 0xFFFF).astype("<u2").tobytes()
    return head + body + foot


def _base85(data: bytes) -> str:
    """Five digits for four bytes, the lowest first; n bytes at the end become n + 1 digits."""
    words = np.frombuffer(data + b"\0" * (-len(data) % 4), "<u4").astype(np.int64)
    digits: str = _DIGITS[words[:, None] // 85 ** np.arange(5) % 85].tobytes().decode("ascii")
    return digits[: len(digits) - -len(data) % 4]

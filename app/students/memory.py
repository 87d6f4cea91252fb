"""How much memory of a GPU a model needs, by the headers of its weights."""

from math import prod
from pathlib import Path

from safetensors import safe_open


def gpu_memory_gib(*folders: Path) -> float:
    """The weights in 16 bits, or fewer where they are stored so, and half of that for activations and the cache."""
    files = [file for folder in folders for file in folder.glob("*.safetensors")]
    return round(1.5 * sum(map(_served_bytes, files)) / 2**30, 1)


def _served_bytes(file: Path) -> int:
    with safe_open(file, framework="numpy") as weights:
        parts = [weights.get_slice(name) for name in weights.keys()]  # noqa: SIM118 - it is no dict
        wide: int = sum(prod(part.get_shape()) for part in parts if part.get_dtype() == "F32")
    return file.stat().st_size - 2 * wide

"""Weights on disk in 8 bits: every matrix as whole numbers with one scale a row, the rest in 32 bits.

``W[i, j] ≈ weight.int8[i, j] * weight.scale[i]``, scale = largest absolute value of the row / 127 (symmetric
absmax quantisation). `load` is the one step back; what computes afterwards is ordinary float32.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

_CODES, _SCALE = ".int8", ".scale"


def save(state: dict[str, Tensor], file: Path) -> None:
    """Write a state dict of float tensors; tensors that share memory (tied weights) are written once."""
    stored: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in state.items():
        if tensor.data_ptr() in seen:
            continue
        seen.add(tensor.data_ptr())
        if tensor.ndim == 2:
            scale = tensor.abs().amax(dim=1).clamp_min(1e-12) / 127
            stored[name + _CODES] = (tensor / scale[:, None]).round().to(torch.int8)
            stored[name + _SCALE] = scale
        else:
            stored[name] = tensor.contiguous()
    save_file(stored, file)


def load(file: Path) -> dict[str, Tensor]:
    """Read back what `save` wrote, in float32. Raises ValueError for a file that is no safetensors."""
    try:
        stored = load_file(file)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file}: {error}") from None
    state = {}
    for name, tensor in stored.items():
        if name.endswith(_CODES):
            base = name.removesuffix(_CODES)
            if base + _SCALE not in stored:
                raise ValueError(f"{file}: {name} has no scale")
            state[base] = tensor.float() * stored[base + _SCALE][:, None]
        elif not name.endswith(_SCALE):
            state[name] = tensor
    return state

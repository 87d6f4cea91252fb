"""Everything that decides the outcome of a fine-tuning besides the data and the model it starts from."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Lora:
    """Low-rank updates of every linear layer but the output (Hu et al. 2021).

    `four_bit` keeps the frozen base in 4 bits while training (QLoRA, Dettmers et al. 2023), by
    bitsandbytes; it needs CUDA.
    """

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    four_bit: bool = False


@dataclass(frozen=True, slots=True)
class FinetunePlan:
    """`batch` counts examples (one tool of one intent) over all devices and accumulation steps; `device_batch` those
    that one device holds at once. `rate` is the peak of a warm-up and a linear decay. Without `lora` all weights
    learn."""

    codec: str = "letters"
    epochs: int = 10
    batch: int = 96
    device_batch: int = 32
    rate: float = 5e-4
    warm_up: float = 0.03
    weight_decay: float = 0.01
    lora: Lora | None = None
    seed: int = 1

    def plain(self) -> dict[str, Any]:
        return asdict(self)

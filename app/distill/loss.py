"""What a student that fills slots is trained on.

Per tool: whether it is used; where it is, the cross-entropy of its slots against ordinal soft targets
(neighbouring values are nearly right, zero is not a neighbour of anything), and the cosine distance between
the expected vector and the teacher's, which is the metric itself.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.students.slots import SlotTable


@dataclass(frozen=True, slots=True)
class LossWeights:
    used: float = 1.0
    number: float = 4.0
    name: float = 1.0
    cosine: float = 2.0
    softness: float = 3.5
    """The decay, in the parameter's units, of the soft target around the true value; 0 is a hard target."""


class SlotLoss:
    """Differentiable loss of slot logits [B, S, V] against target tokens [B, S] and tool use [B, T]."""

    def __init__(self, table: SlotTable, zero: int, weights: LossWeights) -> None:
        self.table, self.weights = table, weights
        self.soft = soft_targets(table, zero, weights.softness)
        self.slots = torch.arange(len(table.scale))

    def __call__(self, logits: Tensor, target: Tensor, used: Tensor) -> Tensor:
        logits = logits.float()
        log_p = logits.log_softmax(-1)
        cross_entropy = -(self.soft[self.slots, target] * log_p).sum(-1)
        probability = logits.masked_fill(~self.table.allowed, -torch.inf).softmax(-1)
        expected = (probability * self.table.numbers).sum(-1)
        wanted = self.table.numbers[self.slots, target]
        total = logits.new_zeros(())
        for column, slots in enumerate(self.table.tools.values()):
            total = total + self._tool(slots, used[:, column], log_p, cross_entropy, expected, wanted)
        return total / len(self.table.tools)

    def _tool(
        self, slots: slice, used: Tensor, log_p: Tensor, cross_entropy: Tensor, expected: Tensor, wanted: Tensor
    ) -> Tensor:
        w, rows = self.weights, used.sum().clamp_min(1)
        log_unused = log_p[:, slots.start, self.table.unused]
        log_used = torch.log1p(-log_unused.exp().clamp_max(1 - 1e-6))
        loss = -w.used * torch.where(used, log_used, log_unused).mean()
        # Given use: the probability of use divides out of the first slot.
        given_use = cross_entropy[:, slots].clone()
        given_use[:, 0] = given_use[:, 0] + log_used
        scale = self.table.scale[slots]
        is_number = scale > 0
        share = rows / len(used)
        numbers = given_use[:, is_number].mean(-1)
        loss = loss + w.number * share * (numbers * used).sum() / rows
        if (~is_number).any():
            named = given_use[:, ~is_number].mean(-1)
            return loss + w.name * share * (named * used).sum() / rows
        a, b = expected[:, slots] / scale, wanted[:, slots] / scale
        cosine = torch.nn.functional.cosine_similarity(a, b, dim=-1, eps=1e-4)
        return loss + w.cosine * share * ((1 - cosine) * used).sum() / rows


def soft_targets(table: SlotTable, zero: int, softness: float) -> Tensor:
    """For each slot and true token, the distribution to learn, [S, V, V]."""
    slots, vocabulary = table.allowed.shape
    soft = torch.eye(vocabulary).repeat(slots, 1, 1)
    if softness <= 0:
        return soft
    for slot in range(slots):
        if table.scale[slot] == 0:
            continue
        tokens = (table.allowed[slot] & (table.numbers[slot] != 0)).nonzero().squeeze(1)
        value = table.numbers[slot, tokens]
        distance = (value[:, None] - value[None, :]).abs()
        # Teachers answer in multiples of 5; other numbers are asked for by name and are exact.
        on_grid = (value % 5 == 0).float()
        near = torch.exp(-distance / softness) * (value[:, None] * value[None, :] > 0)
        weight = torch.where(on_grid[:, None].bool(), near * on_grid[None, :], torch.eye(len(tokens)))
        soft[slot, tokens[:, None], tokens[None, :]] = weight / weight.sum(-1, keepdim=True)
    return soft

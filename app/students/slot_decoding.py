"""From the distribution of every slot to answers.

`constrained`: a slot takes only what the grammar allows. A tool is used, and a number is set at all, when
its probability passes a threshold; a number that is set is the *expected* value of its distribution, which
fits the metric and the eye better than the single likeliest one, on a grid of 5. A number that the request
names is met exactly when the expectation lies close to it, or when the request names one number and the answer sets
one parameter: "contrast +17" leaves only the sign to the student.
`free`: the likeliest token of the whole vocabulary in each slot, whatever the grammar says.
"""

import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from app.students.manifest import SlotThresholds
from app.students.slots import SlotTable

GRID = 5
# How far, relative to it, the expectation may lie from a number in the request to be taken for it.
NEAR = 0.3
# A number on the parameter's own scale: no year, decade, time, fraction, and no count of something else.
_NUMBER = re.compile(
    r"(?<![\w.,:/])[+-]?(\d{1,3})(?![\w:/]|[.,]\d| ?(?:stops?|ev|k|mm|pm|am|x|times)\b)", re.IGNORECASE
)


class SlotDecoder:
    """Decodes the answers of one student.

    `tokens` are the symbols by id, as the answer tokenizer spells them.
    """

    def __init__(self, table: SlotTable, tokens: Sequence[str], thresholds: SlotThresholds) -> None:
        self.table = table
        self.tokens = list(tokens)
        self._ids = {token: index for index, token in enumerate(self.tokens)}
        self._bias = torch.zeros(table.allowed.shape).masked_fill(~table.allowed, -torch.inf)
        self._zero = self._ids["<0>"]
        self._named = table.scale == 0
        self._used = torch.tensor([thresholds.used.get(tool, 0.5) for tool in table.tools])
        self._first = torch.tensor([slots.start for slots in table.tools.values()])
        nonzero = torch.full(table.scale.shape, 0.5)
        for tool, slots in table.tools.items():
            nonzero[slots] = thresholds.nonzero.get(tool, 0.5)
        self._nonzero = nonzero
        self._shrink = thresholds.shrink

    def constrained(self, logits: Tensor, intents: Sequence[str]) -> list[dict[str, str]]:
        """Answers by tool for each row of [B, S, V]; always inside the grammar."""
        probability = (logits.float() + self._bias).softmax(-1)
        used = 1 - probability[:, self._first, self.table.unused]
        probability[..., self.table.unused] = 0
        probability /= probability.sum(-1, keepdim=True).clamp_min(1e-9)
        return self.decide(probability, used, intents)

    def decide(self, probability: Tensor, used: Tensor, intents: Sequence[str]) -> list[dict[str, str]]:
        """Answers from the slots' distributions given that a tool is used, [B, S, V], and that chance, [B, T]."""
        is_set = 1 - probability[..., self._zero]
        expected = (probability * self.table.numbers).sum(-1) / is_set.clamp_min(1e-6)
        # Where hardly anything is set, the quotient of two tiny numbers may lie beyond the slot's range.
        expected = (expected * is_set**self._shrink).clamp(-self.table.scale, self.table.scale)
        kept = is_set >= self._nonzero
        for slots in self.table.tools.values():
            # A tool that is used sets at least its likeliest parameter.
            numbers = is_set[:, slots].masked_fill(self._named[slots], -1)
            kept[:, slots].scatter_(1, numbers.argmax(-1, keepdim=True), True)
        names = probability.argmax(-1)
        columns = ((used >= self._used).tolist(), kept.tolist(), expected.tolist(), names.tolist(), intents)
        return [self._row(*row) for row in zip(*columns, strict=True)]

    def _row(
        self, used: list[bool], kept: list[bool], expected: list[float], names: list[int], intent: str
    ) -> dict[str, str]:
        numbers = [int(found) for found in _NUMBER.findall(intent)]
        answer = {}
        for (tool, slots), is_used in zip(self.table.tools.items(), used, strict=True):
            if not is_used:
                answer[tool] = self.tokens[self.table.unused]
                continue
            own = range(slots.start, slots.stop)
            is_plain = len(numbers) == 1 and sum(kept[slots]) == 1 and not any(self._named[slots])
            answer[tool] = "".join(
                self.tokens[names[slot]]
                if self._named[slot]
                else self._number(slot, expected[slot], numbers, math.inf if is_plain else NEAR)
                if kept[slot]
                else "<0>"
                for slot in own
            )
        return answer

    def _number(self, slot: int, expected: float, named: list[int], near: float) -> str:
        value = on_grid(expected)
        sign = 1 if expected > 0 else -1
        met = [sign * number for number in named if number and abs(number - abs(expected)) <= near * number]
        if met:
            value = min(met, key=lambda number: abs(number - expected))
        token = f"<{value}>"
        return token if token in self._ids and self.table.allowed[slot, self._ids[token]] else f"<{on_grid(expected)}>"

    def free(self, logits: Tensor) -> list[dict[str, str]]:
        """Answers by tool for each row of [B, S, V], with no regard to the grammar."""
        answers = []
        for row in logits.argmax(-1).tolist():
            answer = {}
            for tool, slots in self.table.tools.items():
                ids = row[slots.start : slots.stop]
                ids = ids[:1] if ids[0] == self.table.unused else ids
                answer[tool] = "".join(self.tokens[index] for index in ids)
            answers.append(answer)
        return answers


def on_grid(value: float) -> int:
    """The nearest multiple of GRID, but never zero: that decision has been made before."""
    rounded = round(value / GRID) * GRID
    return rounded or (GRID if value >= 0 else -GRID)

"""From the distribution of every slot to answers.

`constrained`: a slot takes only what the grammar allows. A tool is used, and a number is set at all, when
its probability passes a threshold; a tool that names a preset, when that it is used and by this name does: a preset
that is a guess among many is worse than none; a number that is set is the *expected* value of its distribution, which
fits the metric and the eye better than the single likeliest one, on a grid of 5. A number that the request
names is met exactly by the setting whose expectation lies nearest and close to it, or by the one setting of an answer
to a request with one number: "contrast +17" leaves only the sign to the student.
`free`: the likeliest token of the whole vocabulary in each slot, whatever the grammar says.
"""

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
        likeliest, names = probability.max(-1)
        of_name = likeliest.masked_fill(~self._named, 1)
        sure = used * torch.stack([of_name[:, slots].prod(-1) for slots in self.table.tools.values()], -1)
        columns = ((sure >= self._used).tolist(), kept.tolist(), expected.tolist(), names.tolist(), intents)
        return [self._row(*row) for row in zip(*columns, strict=True)]

    def _row(
        self, used: list[bool], kept: list[bool], expected: list[float], names: list[int], intent: str
    ) -> dict[str, str]:
        given = {tool: slots for (tool, slots), is_used in zip(self.table.tools.items(), used, strict=True) if is_used}
        numbers = {slot: expected[slot] for slots in given.values() for slot in self._numbers(slots) if kept[slot]}
        exact = self._exact(numbers, [int(found) for found in _NUMBER.findall(intent)])
        answer = dict.fromkeys(self.table.tools, self.tokens[self.table.unused])
        for tool, slots in given.items():
            answer[tool] = "".join(
                self.tokens[names[slot]]
                if self._named[slot]
                else self._token(slot, exact.get(slot, on_grid(numbers[slot])))
                if slot in numbers
                else "<0>"
                for slot in range(slots.start, slots.stop)
            )
        return answer

    def _numbers(self, slots: slice) -> list[int]:
        return [slot for slot in range(slots.start, slots.stop) if not self._named[slot]]

    def _exact(self, numbers: dict[int, float], asked: list[int]) -> dict[int, int]:
        """The values of the slots that meet a number of the request; a number is met by one slot, the nearest."""
        is_plain = len(asked) == len(numbers) == 1 and not any(self._is_of_named_tool(slot) for slot in numbers)
        pairs = []
        for slot, expected in numbers.items():
            for index, number in enumerate(asked):
                value = min(number, int(self.table.scale[slot]))
                distance = abs(value - abs(expected))
                if value and (is_plain or distance <= NEAR * value):
                    pairs.append((distance, slot, index, value if expected > 0 else -value))
        exact: dict[int, int] = {}
        met: set[int] = set()
        for _, slot, index, value in sorted(pairs):
            if slot not in exact and index not in met:
                exact[slot] = value
                met.add(index)
        return exact

    def _is_of_named_tool(self, slot: int) -> bool:
        own = next(slots for slots in self.table.tools.values() if slots.start <= slot < slots.stop)
        return bool(self._named[own].any())

    def _token(self, slot: int, value: int) -> str:
        """The symbol of a value; of the nearest on the grid where the slot does not take it."""
        token = f"<{value}>"
        if token in self._ids and self.table.allowed[slot, self._ids[token]]:
            return token
        return f"<{on_grid(value)}>"

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

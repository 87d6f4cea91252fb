"""From the distribution of every slot to answers.

`constrained`: a slot takes only what the grammar allows. A tool is used, and a number is set at all, when
its probability passes a threshold. For a tool that names a preset it is the probability of this preset or a variant of
it: a guess among many would be worse than none. A number that is set is the *expected* value of its distribution, which
fits the metric and the eye better than the single likeliest one, on a grid of 5. A number that the request
names is met exactly: by the setting whose expectation lies nearest and close to it, or, where the request names as many
numbers as the answer sets, each by one. "contrast +17" leaves only the sign to the student.
`free`: the likeliest token of the whole vocabulary in each slot, whatever the grammar says.
"""

import re
from collections.abc import Sequence
from functools import cache
from itertools import permutations

import torch
from torch import Tensor

from app.grade import TOOLS
from app.students.manifest import SlotThresholds
from app.students.named_numbers import NamedNumber, named_numbers
from app.students.slots import SlotTable

GRID = 5
# How far, relative to it, the expectation may lie from a number in the request to be taken for it.
NEAR = 0.3
MATCHED = 5
"""Up to so many numbers are tried in every order."""


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
        self._kin = _kinship(tuple(tokens))
        self._exposure = [slot.name for model in TOOLS.values() for slot in model.slots()].index("exposure")

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
        sure = used.clone()
        for column, slots in enumerate(self.table.tools.values()):
            for slot in range(slots.start, slots.stop):
                if self._named[slot]:
                    sure[:, column] *= (probability[:, slot] @ self._kin).amax(-1)
        columns = ((sure >= self._used).tolist(), kept.tolist(), expected.tolist(), names.tolist())
        return [self._row(*row) for row in zip(*columns, probability, intents, strict=True)]

    def _row(
        self,
        used: list[bool],
        kept: list[bool],
        expected: list[float],
        names: list[int],
        probability: Tensor,
        intent: str,
    ) -> dict[str, str]:
        given = {tool: slots for (tool, slots), is_used in zip(self.table.tools.items(), used, strict=True) if is_used}
        numbers = {slot: expected[slot] for slots in given.values() for slot in self._numbers(slots) if kept[slot]}
        exact = self._exact(numbers, probability, [number for number in named_numbers(intent) if number.value])
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

    def _exact(self, numbers: dict[int, float], probability: Tensor, asked: list[NamedNumber]) -> dict[int, int]:
        """The values of the slots that meet a number of the request; a number is met by one slot.

        Stops are met by the exposure. Where the request names as many numbers as the answer sets, each is met by the
        slot that it fits best; otherwise by the nearest, if that is near.
        """
        exact = {}
        if self._exposure in numbers:
            for stops in (number for number in asked if number.is_stops):
                exact[self._exposure] = self._meant(self._exposure, numbers[self._exposure], stops)
        free = {slot: expected for slot, expected in numbers.items() if slot not in exact}
        plain = [number for number in asked if not number.is_stops]
        if len(plain) == len(free) <= MATCHED and not any(self._is_of_named_tool(slot) for slot in free):
            return exact | self._matched(free, probability, plain)
        return exact | self._nearest(free, plain)

    def _matched(self, free: dict[int, float], probability: Tensor, asked: list[NamedNumber]) -> dict[int, int]:
        """Each number by its own slot, so that the distributions lie as close to the numbers as they can."""

        def deviation(slots: tuple[int, ...]) -> float:
            values = [self._meant(slot, free[slot], number) for slot, number in zip(slots, asked, strict=True)]
            away = (self.table.numbers[list(slots)] - torch.tensor(values)[:, None]).abs()
            return float((probability[list(slots)] * away).sum())

        best = min(permutations(free), key=deviation) if len(free) > 1 else tuple(free)
        return {slot: self._meant(slot, free[slot], number) for slot, number in zip(best, asked, strict=True)}

    def _nearest(self, free: dict[int, float], asked: list[NamedNumber]) -> dict[int, int]:
        pairs = []
        for slot, expected in free.items():
            for index, number in enumerate(asked):
                value = self._meant(slot, expected, number)
                if (distance := abs(value - expected)) <= NEAR * abs(value):
                    pairs.append((distance, slot, index, value))
        exact: dict[int, int] = {}
        met: set[int] = set()
        for _, slot, index, value in sorted(pairs):
            if slot not in exact and index not in met:
                exact[slot] = value
                met.add(index)
        return exact

    def _meant(self, slot: int, expected: float, number: NamedNumber) -> int:
        """The number in the range of the slot; its sign is the student's reading of the words."""
        return min(number.value, int(self.table.scale[slot])) * (1 if expected >= 0 else -1)

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


@cache
def _kinship(tokens: tuple[str, ...]) -> Tensor:
    """Which symbols are variants of one preset ("teal_and_orange_1" to 6) and count together, float [V, V].

    Made once a vocabulary: tuning tries a hundred decoders of the same.
    """
    stems = [re.sub(r"_\d+>$", ">", token) for token in tokens]
    return torch.tensor([[float(a == b) for b in stems] for a in stems])


def on_grid(value: float) -> int:
    """The nearest multiple of GRID, but never zero: that decision has been made before."""
    rounded = round(value / GRID) * GRID
    return rounded or (GRID if value >= 0 else -GRID)

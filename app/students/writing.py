"""Greedy decoding of students that write token by token, under the codec's grammar or freely."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from app.students.spelling import Automaton, Spelling


class Steps(Protocol):
    """A network that continues a batch of answers token by token."""

    device: torch.device

    def begin(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read prompts; the logits [B, A] of each answer's first token."""
        ...

    def step(self, tokens: Tensor) -> Tensor:
        """Append one token [B] to each answer; the logits [B, A] of the next."""
        ...


class ConstrainedWriter:
    """Writes what the grammar allows, over the spelling's alphabet. Every answer is whole."""

    def __init__(self, steps: Steps, spelling: "Spelling", automaton: "Automaton") -> None:
        self._steps, device = steps, steps.device
        self._start, self._end, self._longest = automaton.start, automaton.end, automaton.longest
        self._tokens = torch.tensor(spelling.alphabet, device=device)
        self._forbidden = ~torch.from_numpy(automaton.allowed).to(device)
        self._next = torch.from_numpy(automaton.next).to(device)

    def write(self, prompts: Sequence[Sequence[int]], tools: Sequence[str]) -> list[list[int]]:
        """The tokens of each answer, without the end token."""
        state = torch.tensor([self._start[tool] for tool in tools], device=self._steps.device)
        logits = self._steps.begin(prompts)
        written: list[Tensor] = []
        ended: list[Tensor] = []
        while True:
            place = logits.masked_fill_(self._forbidden[state], -torch.inf).argmax(dim=-1)
            state = self._next[state, place]
            written.append(self._tokens[place])
            ended.append(state == self._end)
            # The end token is the only one that may follow: no pass is spent on it.
            if bool(ended[-1].all()):
                break
            logits = self._steps.step(written[-1])
        rows = torch.stack(written, dim=1).tolist()
        lengths = (~torch.stack(ended, dim=1)).sum(dim=1) + 1
        return [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]


class FreeWriter:
    """Writes whatever is likeliest of the whole vocabulary, up to the end token or `longest` tokens."""

    def __init__(self, steps: Steps, end: int, longest: int) -> None:
        self._steps, self._end, self._longest = steps, end, longest

    def write(self, prompts: Sequence[Sequence[int]], tools: Sequence[str]) -> list[list[int]]:
        """The tokens of each answer, the end token included where it was reached."""
        logits = self._steps.begin(prompts)
        written = [logits.argmax(dim=-1)]
        done = written[-1] == self._end
        while len(written) < self._longest and not bool(done.all()):
            written.append(self._steps.step(written[-1]).argmax(dim=-1))
            done |= written[-1] == self._end
        rows = torch.stack(written, dim=1).tolist()
        return [row[: row.index(self._end) + 1] if self._end in row else row for row in rows]

"""How a codec's answers are spelled in a student's tokens, and the automaton of what may come next.

A row codec's words are spelled one after the other, each by the one token that is added for it, or by its characters,
as the codec says. So every answer has one spelling: training and decoding agree on it, an engine needs to compute only
the logits of the few tokens that occur, and one that knows a grammar of text but these tokens alone has no choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from app.grade import TOOLS
from app.grade.codecs.grammar import Grammar
from app.grade.codecs.row import RowCodec


@dataclass(frozen=True, slots=True)
class Automaton:
    """The answers of all tools over the `A` tokens of an alphabet, as `S` states.

    Attributes:
        allowed: bool [S, A], what may be written in a state.
        next: int64 [S, A], where it leads; meaningless where it is not allowed.
        start: the state in which each tool begins.
        end: the state after a whole answer; only the end token may follow, and leads back to it.
        longest: the most tokens of an answer, the end token included.
    """

    allowed: NDArray[np.bool_]
    next: NDArray[np.int64]
    start: dict[str, int]
    end: int
    longest: int


class Spelling:
    """Spells a codec's answers by a tokenizer.

    Attributes:
        codec, tokenizer: what is spelled, and by what.
        alphabet: the token ids that occur in answers, the end token last.

    Raises ValueError where the tokenizer lacks a token; `missing` lists those to be added.
    """

    def __init__(self, codec: RowCodec, tokenizer: PreTrainedTokenizerBase) -> None:
        self.codec, self.tokenizer = codec, tokenizer
        if lacking := missing(codec, tokenizer):
            raise ValueError(f"the tokenizer lacks {len(lacking)} tokens of the codec {codec.name}, e.g. {lacking[0]}")
        if tokenizer.eos_token_id is None:
            raise ValueError("the tokenizer names no eos_token")
        vocabulary = tokenizer.get_vocab()
        self._words = {word: [vocabulary[piece] for piece in _pieces(word, codec)] for word in codec.symbols()}
        self._surfaces = {vocabulary[piece]: piece for word in self._words for piece in _pieces(word, codec)}
        self.end: int = tokenizer.eos_token_id
        self.alphabet = [*sorted(self._surfaces), self.end]

    def ids(self, tool: str, text: str) -> list[int]:
        """An answer's tokens, the end token included. `text` is one of the codec's."""
        words = self.codec.grammar(tool).split(text)
        return [*(index for word in words for index in self._words[word]), self.end]

    def text(self, ids: Sequence[int]) -> str:
        """What the tokens say, up to the end token; nothing is repaired."""
        upto = ids[: ids.index(self.end)] if self.end in ids else ids
        return "".join(self._surfaces.get(index) or self.tokenizer.decode([index]) for index in upto)

    def automaton(self) -> Automaton:
        """The grammars of all tools in one table of states."""
        return _Builder(self).build({tool: self.codec.grammar(tool) for tool in TOOLS}, self._words)


def missing(codec: RowCodec, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The pieces that a tokenizer must be given before it can spell the codec, in order."""
    vocabulary = tokenizer.get_vocab()
    pieces = dict.fromkeys(piece for word in codec.symbols() for piece in _pieces(word, codec))
    return [piece for piece in pieces if piece not in vocabulary]


def _pieces(word: str, codec: RowCodec) -> Sequence[str]:
    return [word] if codec.whole_words else word


class _Builder:
    """Numbers the states while it walks through the grammars from their ends."""

    def __init__(self, spelling: Spelling) -> None:
        self._place = {index: place for place, index in enumerate(spelling.alphabet)}
        end = self._place[spelling.end]
        self._rows: list[dict[int, int]] = [{end: 0}]
        self._longest = [1]

    def build(self, grammars: dict[str, Grammar], words: dict[str, list[int]]) -> Automaton:
        start = {tool: self._tool(grammar, words) for tool, grammar in grammars.items()}
        allowed = np.zeros((len(self._rows), len(self._place)), np.bool_)
        following = np.zeros(allowed.shape, np.int64)
        for state, row in enumerate(self._rows):
            allowed[state, list(row)] = True
            following[state, list(row)] = list(row.values())
        return Automaton(allowed, following, start, 0, max(self._longest[state] for state in start.values()))

    def _tool(self, grammar: Grammar, words: dict[str, list[int]]) -> int:
        state = 0
        for choice in reversed(grammar.choices):
            ends = {word: 0 if word in grammar.final else state for word in choice}
            state = self._choice([(words[word], after) for word, after in ends.items()])
        return state

    def _choice(self, spelled: list[tuple[list[int], int]]) -> int:
        """A state in which any of the words may be written. No word is the beginning of another."""
        row: dict[int, int] = {}
        for first in dict.fromkeys(ids[0] for ids, _ in spelled):
            rests = [(ids[1:], after) for ids, after in spelled if ids[0] == first]
            row[self._place[first]] = rests[0][1] if rests[0][0] == [] else self._choice(rests)
        self._rows.append(row)
        self._longest.append(1 + max(self._longest[after] for after in row.values()))
        return len(self._rows) - 1

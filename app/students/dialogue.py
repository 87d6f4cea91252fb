"""A writing student's prompts and answers as tokens, for engines that decode by themselves: vLLM, or a server."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.grade import TOOLS
from app.grade.codecs import CODECS, RowCodec
from app.students.generative import LONGEST_FREE, load_tokenizer, prompter
from app.students.protocol import Answer, Prompt
from app.students.spelling import Spelling
from app.students.store import MANIFEST, ModelStoreError, StoredModel
from app.students.text import MAX_TOKENS


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an answer may be.

    Attributes:
        regex: matches whole answers; None where the student writes freely.
        tokens: the only ones that may occur; None: any.
        longest: the most tokens of an answer, the end token included.
    """

    regex: str | None
    tokens: tuple[int, ...] | None
    longest: int


class Dialogue:
    """How one stored student is asked, and how its tokens are read.

    Attributes:
        longest: tokens of the longest prompt with any answer.

    Raises ModelStoreError where the student does not write, or its tokenizer cannot spell its codec.
    """

    def __init__(self, stored: StoredModel, decoding: str | None = None) -> None:
        manifest = stored.manifest
        if manifest.codec not in CODECS:
            raise ModelStoreError(f"{stored.path / MANIFEST}: there is no codec '{manifest.codec}'")
        self.codec = CODECS[manifest.codec]
        self.decoding: str = decoding or manifest.decoding
        self._tokenizer = load_tokenizer(stored)
        self._prompter = prompter(stored, self._tokenizer)
        try:
            self._spelling = Spelling(self.codec, self._tokenizer) if isinstance(self.codec, RowCodec) else None
            shortest = [len(self._prompter.ids(Prompt("a", tool)) or ()) for tool in TOOLS]
        except ValueError as error:
            raise ModelStoreError(f"{stored.path}: {error}") from None
        self.longest = max(shortest) + MAX_TOKENS + LONGEST_FREE
        self._longest_answer = self._count_longest_answer()

    def prompt(self, prompt: Prompt) -> list[int] | None:
        """A prompt's tokens; None if the look cannot be read."""
        return self._prompter.ids(prompt)

    def bounds(self, tool: str) -> Bounds:
        if self.decoding == "free":
            return Bounds(None, None, self._longest_answer)
        tokens = tuple(self._spelling.alphabet) if self._spelling else None
        return Bounds(self.codec.grammar(tool).regex(), tokens, self._longest_answer)

    def answer(self, ids: Sequence[int], cut: bool) -> Answer:
        """What was written. `cut` says that it was cut off."""
        text = self._spelling.text(ids) if self._spelling else self._tokenizer.decode(ids, skip_special_tokens=True)
        return Answer(text, len(ids), cut)

    def read(self, text: str, cut: bool) -> Answer:
        """The same of an engine that gives a text and not its tokens."""
        return Answer(text, len(self._tokenizer.encode(text, add_special_tokens=False)), cut)

    def _count_longest_answer(self) -> int:
        if self.decoding == "free":
            return LONGEST_FREE
        if self._spelling:
            return self._spelling.automaton().longest
        # However it is cut into tokens, each of them has a character.
        grammars = (self.codec.grammar(tool) for tool in TOOLS)
        return 1 + max(sum(max(map(len, choice)) for choice in grammar.choices) for grammar in grammars)

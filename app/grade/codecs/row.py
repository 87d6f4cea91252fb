"""What `compact` and `letters` share: a tool is a row of words, one a parameter, or one word where it is unused."""

import re
from abc import ABC, abstractmethod
from functools import cache
from typing import ClassVar

from app.grade.codecs.codec import DecodeError
from app.grade.codecs.grammar import Grammar
from app.grade.errors import GradeError
from app.grade.tools import TOOLS, Slot, ToolSettings, Value, tool_model


class RowCodec(ABC):
    """A codec whose texts are rows of words.

    Attributes:
        unused: the whole text of an unused tool; the beginning of no other.
        word: matches one word.
        begun: matches a word that was cut short.
        whole_words: whether each word is to be one token of a student's vocabulary.
    """

    name: str
    unused: ClassVar[str]
    word: ClassVar[re.Pattern[str]]
    begun: ClassVar[re.Pattern[str]]
    whole_words: ClassVar[bool]

    @classmethod
    @abstractmethod
    def write(cls, slot: Slot, value: Value) -> str:
        """The word of a value."""

    @classmethod
    @abstractmethod
    def read(cls, slot: Slot, word: str) -> Value:
        """The value of a word; what is none of the slot's is left for validation to refuse."""

    def encode(self, tool: str, settings: ToolSettings | None) -> str:
        if settings is None:
            return self.unused
        return "".join(self.write(slot, value) for slot, value in zip(settings.slots(), settings.flat(), strict=True))

    def decode(self, tool: str, text: str) -> ToolSettings | None:
        if text == self.unused:
            return None
        model = tool_model(tool)
        slots, words, rest = model.slots(), *self._split(text)
        if text.startswith(self.unused) or (rest and self.begun.fullmatch(rest) is None):
            raise DecodeError("schema", f"{tool}: {text[:60]!r} is not a row of values")
        if len(words) < len(slots):
            raise DecodeError("truncated", f"{tool}: {len(words)} of {len(slots)} values")
        if len(words) > len(slots) or rest:
            raise DecodeError("schema", f"{tool}: more than {len(slots)} values")
        try:
            values = tuple(self.read(slot, word) for slot, word in zip(slots, words, strict=True))
            return model.from_flat(values).canonical()
        except GradeError as error:
            raise DecodeError("schema", str(error)) from None

    @cache  # noqa: B019 - one codec lives as long as the process
    def grammar(self, tool: str) -> Grammar:
        first, *rest = (tuple(self.write(slot, value) for value in slot.values) for slot in tool_model(tool).slots())
        return Grammar(((self.unused, *first), *rest), final=frozenset({self.unused}))

    def symbols(self) -> list[str]:
        """Every word of every tool once."""
        every = (option for tool in TOOLS for choice in self.grammar(tool).choices for option in choice)
        return list(dict.fromkeys(every))

    def _split(self, text: str) -> tuple[list[str], str]:
        """The words at the beginning, and what follows them."""
        words, at = [], 0
        while found := self.word.match(text, at):
            words.append(found[0])
            at = found.end()
        return words, text[at:]

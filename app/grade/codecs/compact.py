"""The `compact` codec: one symbol a value in fixed slots, one symbol for an unused tool.

``adjust`` with contrast 10 is ``<0><10><0>…``; an unused tool is ``<unused>``. A student's vocabulary holds
each symbol as one token, so that a tool costs as many tokens as it has parameters, or a single one.
"""

import re
from functools import cache

from app.grade.codecs.codec import DecodeError
from app.grade.codecs.grammar import Grammar
from app.grade.errors import GradeError
from app.grade.tools import TOOLS, Slot, ToolSettings, Value, tool_model

UNUSED = "<unused>"
_SYMBOL = re.compile(r"<([^<>]+)>")
_ROW = re.compile(r"(?P<whole>(<[^<>]+>)*)(?P<begun><[^<>]*)?")


class CompactCodec:
    name = "compact"

    def encode(self, tool: str, settings: ToolSettings | None) -> str:
        return UNUSED if settings is None else "".join(map(symbol, settings.flat()))

    def decode(self, tool: str, text: str) -> ToolSettings | None:
        if text == UNUSED:
            return None
        model, row = tool_model(tool), _ROW.fullmatch(text)
        if row is None or text.startswith(UNUSED):
            raise DecodeError("schema", f"{tool}: {text[:60]!r} is not a row of values")
        words, slots = _SYMBOL.findall(row["whole"]), model.slots()
        if len(words) < len(slots):
            raise DecodeError("truncated", f"{tool}: {len(words)} of {len(slots)} values")
        if len(words) > len(slots) or row["begun"]:
            raise DecodeError("schema", f"{tool}: more than {len(slots)} values")
        try:
            values = tuple(_value(slot, word) for slot, word in zip(slots, words, strict=True))
            return model.from_flat(values).canonical()
        except GradeError as error:
            raise DecodeError("schema", str(error)) from None

    @cache  # noqa: B019 - one codec lives as long as the process
    def grammar(self, tool: str) -> Grammar:
        first, *rest = (tuple(map(symbol, slot.values)) for slot in tool_model(tool).slots())
        return Grammar(((UNUSED, *first), *rest), final=frozenset({UNUSED}))

    def symbols(self) -> list[str]:
        """Every symbol of every tool once, for a student's vocabulary."""
        every = (option for tool in TOOLS for choice in self.grammar(tool).choices for option in choice)
        return list(dict.fromkeys(every))


def symbol(value: Value) -> str:
    return f"<{value}>"


def _value(slot: Slot, word: str) -> Value:
    """The word as the slot's kind of value; what does not fit is left for validation to refuse."""
    return int(word) if not slot.options and re.fullmatch(r"0|-?[1-9][0-9]{0,3}", word) else word

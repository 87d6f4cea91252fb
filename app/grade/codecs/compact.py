"""The `compact` codec: one symbol a value in fixed slots, one symbol for an unused tool.

``adjust`` with contrast 10 is ``<0><10><0>…``; an unused tool is ``<unused>``. A student's vocabulary holds
each symbol as one token, so that a tool costs as many tokens as it has parameters, or a single one.
"""

import re

from app.grade.codecs.row import RowCodec
from app.grade.tools import Slot, Value


class CompactCodec(RowCodec):
    name = "compact"
    unused = "<unused>"
    word = re.compile(r"<[^<>]+>")
    begun = re.compile(r"<[^<>]*")
    whole_words = True

    @classmethod
    def write(cls, slot: Slot, value: Value) -> str:
        return symbol(value)

    @classmethod
    def read(cls, slot: Slot, word: str) -> Value:
        inner = word[1:-1]
        return int(inner) if not slot.options and re.fullmatch(r"0|-?[1-9][0-9]{0,3}", inner) else inner


def symbol(value: Value) -> str:
    return f"<{value}>"

"""The `letters` codec: one character a value in fixed slots, for students whose vocabulary stays as it is.

Every vocabulary has the letters, so that a LoRA over a frozen embedding can learn it, and a tool costs as many tokens
as it has parameters. ``0`` is zero, ``A`` .. ``T`` are 5 .. 100, ``a`` .. ``t`` are -5 .. -100; any other whole number
stands in brackets: ``(17)``, ``(-3)``, ``(180)``. The names of a list are its letters, in order. An unused tool is
``-``. ``adjust`` with contrast 10 is ``0B000000000000``.
"""

import re
from string import ascii_lowercase, ascii_uppercase

from app.grade.codecs.row import RowCodec
from app.grade.tools import Slot, Value

STEP = 5
_MOST = 100 // STEP
_NUMBERS = {
    "0": 0,
    **{letter: STEP * (index + 1) for index, letter in enumerate(ascii_uppercase[:_MOST])},
    **{letter: -STEP * (index + 1) for index, letter in enumerate(ascii_lowercase[:_MOST])},
}
_LETTERS = {number: letter for letter, number in _NUMBERS.items()}
_NAMES = ascii_uppercase + ascii_lowercase


class LettersCodec(RowCodec):
    name = "letters"
    unused = "-"
    word = re.compile(r"[A-Za-z0]|\([^()]+\)")
    begun = re.compile(r"\([^()]*")
    whole_words = False

    @classmethod
    def write(cls, slot: Slot, value: Value) -> str:
        if isinstance(value, str):
            return _NAMES[slot.options.index(value)]
        return _LETTERS.get(value, f"({value})")

    @classmethod
    def read(cls, slot: Slot, word: str) -> Value:
        if slot.options:
            index = _NAMES.find(word)
            return slot.options[index] if 0 <= index < len(slot.options) else word
        if word in _NUMBERS:
            return _NUMBERS[word]
        inner = word[1:-1]
        # What has a letter is never written in brackets: every meaning has one text.
        plain = re.fullmatch(r"-?[1-9][0-9]{0,3}", inner) is not None and int(inner) not in _LETTERS
        return int(inner) if plain else word

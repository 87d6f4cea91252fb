"""Regular expressions that match words and nothing else, in the syntax that all engines of constrained decoding share.

They are short: what words begin or end with alike is written once, single characters become a class. An engine reads
the expression anew with every request, and a list of all words takes it forty times as long.
"""

from collections.abc import Collection, Iterable
from itertools import groupby

_META = frozenset(r"\.^$*+?{}[]()|/-")


def alternatives(words: Iterable[str]) -> str:
    """Matches exactly the words."""
    every = list(dict.fromkeys(words))
    ending = _common_end(every)
    begun: dict[str, list[str]] = {}
    for word in (word[: len(word) - len(ending)] for word in every):
        begun.setdefault(word[:1], []).append(word[1:])
    optional = begun.pop("", None) is not None
    # Characters after which the same may follow, together.
    first: dict[tuple[str, ...], list[str]] = {}
    for character, rests in begun.items():
        first.setdefault(tuple(sorted(rests)), []).append(character)
    branches = [_one_of(characters) + alternatives(rests) for rests, characters in first.items()]
    of_one_character = [*first] == [("",)]
    if len(branches) > 1 or (branches and optional and not of_one_character):
        branches = [f"(?:{'|'.join(branches)})"]
    return "".join(branches) + ("?" if optional and branches else "") + _escaped(ending)


def _common_end(words: Collection[str]) -> str:
    """What all words end with, as long as something of each is left to tell them apart; nothing for a single word."""
    shortest = min(map(len, words))
    length = 0
    while length < shortest and len({word[-length - 1] for word in words}) == 1:
        length += 1
    return min(words, key=len)[shortest - length :] if len(words) > 1 else ""


def _one_of(characters: Collection[str]) -> str:
    """Matches one of the characters."""
    if len(characters) == 1:
        return _escaped(*characters)
    # Neighbours have the same distance from their place in the row.
    runs = [
        [character for _, character in run]
        for _, run in groupby(enumerate(sorted(characters)), key=lambda placed: ord(placed[1]) - placed[0])
    ]
    shown = (f"{_escaped(run[0])}-{_escaped(run[-1])}" if len(run) > 2 else _escaped("".join(run)) for run in runs)
    return f"[{''.join(shown)}]"


def _escaped(text: str) -> str:
    return "".join(f"\\{character}" if character in _META else character for character in text)

"""Intents that mean the same are written the same: one cache entry, one generation, one question to a student."""

import unicodedata

# Joins emoji into one ("man" + joiner + "rocket" is an astronaut); every other invisible character says nothing.
_JOINER = "\u200d"


def fold(intent: str) -> str:
    """The intent without differences of case, white space and look-alike characters.

    Control characters count as spaces; invisible format characters and lone surrogates are dropped. Empty where
    nothing is left.
    """
    if intent.isascii() and intent.isprintable():
        return " ".join(intent.lower().split())
    visible = "".join(map(_visible, intent))
    # Folding case can undo the normal form, hence twice.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    return " ".join(folded.split())


def _visible(character: str) -> str:
    match unicodedata.category(character):
        case "Cc":
            return " "
        case "Cf" if character != _JOINER:
            return ""
        case "Cs":
            return ""
        case _:
            return character

"""A look's words as the title of an export, and as the name of its file."""

import unicodedata

_LONGEST_STEM = 60


def one_line(text: str, longest: int) -> str:
    """What can be shown of a text, on one line of at most `longest` characters."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())[:longest]


def file_stem(text: str) -> str:
    """A file name without its ending that every system takes: a-z, 0-9 and single hyphens, 1 to 60 characters.

    Letters lose their accents; a text with no Latin letter or digit is called "look".
    """
    latin = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    words = "".join(character if character.isalnum() else " " for character in latin).split()
    return "-".join(words)[:_LONGEST_STEM].strip("-") or "look"

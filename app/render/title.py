"""A look's words as the title of an export."""


def one_line(text: str, longest: int) -> str:
    """What can be shown of a text, on one line of at most `longest` characters."""
    shown = "".join(character for character in text if character.isprintable() or character.isspace())
    return " ".join(shown.split())[:longest].rstrip()

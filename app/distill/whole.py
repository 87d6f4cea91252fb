"""Files that are there in one piece or not at all: a kill or a full disk leaves what was there before."""

from pathlib import Path


def write_whole(file: Path, text: str) -> None:
    """Raises OSError."""
    draft = file.with_name(f".{file.name}.part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)

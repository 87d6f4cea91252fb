"""Teacher datasets: one intent a line with the settings that a teacher chose for it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.distill.whole import write_whole
from app.grade import TOOLS, Grade, GradeError


class DatasetError(ValueError):
    """A dataset that cannot be read; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Example:
    """`popularity` runs from 1 (rarely typed) to 5 and stands in for calls."""

    intent: str
    grade: Grade
    split: str = "train"
    popularity: int = 1
    domain: str = ""


def read_dataset(path: Path) -> list[Example]:
    """All examples of a ``.jsonl`` file. Raises DatasetError."""
    return [_example(row, where) for row, where in read_jsonl(path)]


def read_split(path: Path, split: str) -> list[Example]:
    """The examples of one split. Raises DatasetError, also where there are none."""
    rows = [example for example in read_dataset(path) if example.split == split]
    if not rows:
        raise DatasetError(f"{path} has no rows of split '{split}'")
    return rows


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """A row a line, in one piece or not at all. Raises OSError."""
    write_whole(path, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))


def read_jsonl(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """The objects of a ``.jsonl`` file, each with ``file:line`` for messages. Raises DatasetError."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DatasetError(f"{path}: cannot be read: {reason}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # a number of thousands of digits is a bare ValueError
            raise DatasetError(f"{where}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise DatasetError(f"{where}: expected an object")
        yield row, where


def _example(row: dict[str, Any], where: str) -> Example:
    intent = row.get("intent")
    if not isinstance(intent, str) or not intent.strip():
        raise DatasetError(f"{where}: 'intent' is missing or empty")
    try:
        grade = Grade.parse({tool: row.get(tool) for tool in TOOLS})
    except GradeError as error:
        raise DatasetError(f"{where}: {error}") from None
    popularity = row.get("popularity", 1)
    if type(popularity) is not int or not 1 <= popularity <= 5:
        raise DatasetError(f"{where}: 'popularity' is {popularity!r}, expected a whole number 1..5")
    return Example(intent, grade, str(row.get("split", "train")), popularity, str(row.get("domain", "")))

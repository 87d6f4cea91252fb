"""Test rows that the current student was trained on: they flatter it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from app.distill.comparison.report import plain_differences
from app.distill.dataset import Example, read_jsonl
from app.distill.distilling import verdict
from app.distill.distilling.stages import Result
from app.distill.split import TEST
from app.grade import fold
from app.students.manifest import Manifest
from app.students.store import sha256


def trained_on(manifest: Manifest, files: Iterable[Path]) -> frozenset[str] | None:
    """Folded intents of a student's training, its validation part included.

    None where it is not known: its manifest names no dataset, or one whose SHA-256 none of the files has. Raises
    DatasetError, OSError.
    """
    at_hand = {sha256(file): file for file in files}
    needed = set(manifest.datasets.values())
    if not needed or not needed <= at_hand.keys():
        return None
    trained: set[str] = set()
    tested: set[str] = set()
    for digest in needed:
        for row, _ in read_jsonl(at_hand[digest]):
            intents = {fold(text) for text in (row.get("intent"), row.get("similar")) if isinstance(text, str)}
            (tested if row.get("split") == TEST else trained).update(intents)
    return frozenset(trained - tested)


def told(name: str, intents: frozenset[str] | None, rows: Sequence[Example], current: Result, new: Result) -> Result:
    """How many test rows the current student, `name`, has seen, and the difference over the others, in words, too."""
    if intents is None:
        words = f"Whether {name} was trained on some of the test rows, which would flatter it, cannot be known here."
        return {"rows": None, "difference": None, "words": words}
    others = [place for place, row in enumerate(rows) if fold(row.intent) not in intents]
    seen = len(rows) - len(others)
    if not seen:
        return {"rows": 0, "difference": None, "words": f"{name} was trained on none of the test rows."}
    words = f"{name} was trained on {seen:,} of the test rows, which flatters it"
    if not others:
        return {"rows": seen, "difference": None, "words": f"{words}: on all of them."}
    parts = ({"grades": [judged["grades"][place] for place in others]} for judged in (current, new))
    found = plain_differences(verdict.differences([rows[place] for place in others], *parts))["All"]
    overall = found["overall"]
    words += (
        f"; over the other {len(others):,} the difference in overall is {overall['value']:+.3f} "
        f"({overall['low']:+.3f} to {overall['high']:+.3f})."
    )
    return {"rows": seen, "difference": found, "words": words}

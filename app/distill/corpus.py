"""What a student is trained on: the teacher's training split, a part of it held out for validation, and what
else is known: a second teacher's answers, similar intents, further intents with their answers.

Nothing that folds to a test or validation intent ever enters training.
"""

import random
from dataclasses import dataclass
from pathlib import Path

from app.distill.dataset import DatasetError, Example, read_dataset, read_jsonl
from app.grade import fold


@dataclass(frozen=True, slots=True)
class Corpus:
    train: list[Example]
    validation: list[Example]
    extra: list[Example]
    """Further examples to train on."""
    judged: frozenset[str] = frozenset()
    """Folded intents that are validated or tested on: none of them, however it comes about, is trained on."""


def read_corpus(
    teacher: Path,
    validation: int,
    seed: int,
    alternates: Path | None = None,
    similar: Path | None = None,
    additions: Path | None = None,
) -> Corpus:
    """Read a teacher dataset and hold out `validation` of its training rows. Raises DatasetError."""
    rows = read_dataset(teacher)
    train = [row for row in rows if row.split == "train"]
    if not 0 < validation < len(train):
        raise DatasetError(f"{teacher}: {len(train)} training rows, from which {validation} cannot be held out")
    random.Random(seed).shuffle(train)
    held_out, train = train[:validation], train[validation:]
    test = [row for row in rows if row.split == "test"]
    judged = frozenset(fold(row.intent) for row in held_out + test)
    train = [row for row in train if fold(row.intent) not in judged]
    known = {fold(row.intent): row for row in train}
    extra: list[Example] = []
    if alternates is not None:
        extra += [row for row in read_dataset(alternates) if fold(row.intent) in known]
    if similar is not None:
        extra += _similar(similar, known, judged)
    if additions is not None:
        extra += [row for row in read_dataset(additions) if fold(row.intent) not in judged]
    return Corpus(train, held_out, extra, judged)


def _similar(path: Path, known: dict[str, Example], forbidden: frozenset[str]) -> list[Example]:
    """Each similar intent with the teacher's answer to the original, if the original is trained on."""
    examples = []
    for row, where in read_jsonl(path):
        intent, similar = row.get("intent"), row.get("similar")
        if not isinstance(intent, str) or not isinstance(similar, str) or not similar.strip():
            raise DatasetError(f"{where}: expected 'intent' and 'similar', both text")
        original, folded = known.get(fold(intent)), fold(similar)
        if original is not None and folded not in forbidden and folded not in known:
            examples.append(Example(similar, original.grade))
    return examples

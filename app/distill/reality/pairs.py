"""Test intents, and the grades that teacher and student give them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from app.distill.dataset import Example
from app.distill.evaluate import grade_intents
from app.distill.reality.errors import RealityError
from app.grade import Grade, fold
from app.students import Engine


@dataclass(frozen=True, slots=True)
class Pair:
    """One intent graded twice. `second` is another, independent answer of the teacher, where there is one."""

    intent: str
    domain: str
    teacher: Grade
    student: Grade
    second: Grade | None = None


def sampled(rows: Sequence[Example], count: int, seed: int) -> list[Example]:
    """`count` rows at random, taken from each domain in turn. Equal seeds give equal rows."""
    generator = random.Random(seed)
    domains: dict[str, list[Example]] = {}
    for row in generator.sample(rows, len(rows)):
        domains.setdefault(row.domain, []).append(row)
    taken: list[Example] = []
    while len(taken) < min(count, len(rows)):
        taken += [left.pop() for left in domains.values() if left]
    return taken[:count]


def named(rows: Sequence[Example], intents: Sequence[str]) -> list[Example]:
    """The rows of these intents, in their order, each once. Raises RealityError for one that is in no row."""
    known = {fold(row.intent): row for row in rows}
    wanted = list(dict.fromkeys(map(fold, intents)))
    for intent in wanted:
        if intent not in known:
            near = get_close_matches(intent, known, n=3)
            hint = f"; there are {', '.join(map(repr, near))}" if near else ""
            raise RealityError(f"{intent!r} is none of the {len(known)} intents that can be compared{hint}")
    return [known[intent] for intent in wanted]


def pairs(engine: Engine, rows: Sequence[Example], alternates: Sequence[Example] = ()) -> tuple[list[Pair], list[str]]:
    """The student's grades beside the teacher's, and the intents that the student could not read."""
    second = {fold(row.intent): row.grade for row in alternates}
    found: list[Pair] = []
    unread: list[str] = []
    for row, grade in zip(rows, grade_intents(engine, [row.intent for row in rows]), strict=True):
        if grade is None:
            unread.append(row.intent)
        else:
            found.append(Pair(row.intent, row.domain, row.grade, grade, second.get(fold(row.intent))))
    return found, unread

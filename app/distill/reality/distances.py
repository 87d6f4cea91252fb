"""How far apart the pictures of two grades are, beside distances that say what such a number means.

The student's distance from the teacher is to be read between two references: how far two answers of the teacher itself
are apart, and how far the teacher's picture is from that for another request, which an answer to nothing in particular
would reach. What one tool contributes is the difference that it makes when the teacher's settings of that tool alone
are exchanged for the student's.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from app.distill.reality.difference import Difference, difference, lab
from app.distill.reality.pairs import Pair
from app.distill.reality.photos import Photo
from app.grade import TOOLS, Grade
from app.render.colour import Array

APART = "student and teacher"
TWO_TEACHERS = "teacher and teacher, second answer"
APART_THERE = "student and teacher, on those intents"
BETWEEN = (
    APART,
    APART_THERE,
    TWO_TEACHERS,
    "student and original",
    "teacher and original",
    "teacher and teacher, another intent",
)
"""What is compared, in the order of the table. The second two are of the intents that have a second answer."""

_KEPT = 10
"""Graded pictures of one photo that are kept: a pair needs eight at most, one of them of the pair before."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One comparison on one photo. `between` is one of BETWEEN, or the name of the tool that was exchanged."""

    intent: str
    domain: str
    photo: str
    between: str
    apart: Difference


@dataclass(frozen=True, slots=True)
class Summary:
    """Over pictures, each of which counts with the mean difference of its pixels."""

    pictures: int
    mean: float
    median: float
    p95: float

    @classmethod
    def of(cls, differences: Sequence[Difference]) -> "Summary | None":
        """None where there is nothing to sum up."""
        if not differences:
            return None
        means = [each.mean for each in differences]
        median, p95 = np.percentile(means, (50, 95))
        return cls(len(means), float(np.mean(means)), float(median), float(p95))


def measure(
    pairs: Sequence[Pair], photos: Sequence[Photo], report: Callable[[int], None] = lambda done: None
) -> list[Measurement]:
    """Every comparison of every pair on every photo; `report` is told how many of pairs times photos are done."""
    found: list[Measurement] = []
    done = 0
    for photo in photos:
        seen = _seen_on(photo)
        for index, pair in enumerate(pairs):
            # The pair before it (before the first comes the last) stands for any other request.
            other = pairs[index - 1] if len(pairs) > 1 else None
            for between, a, b in _comparisons(pair, other):
                apart = Difference(0, 0) if a == b else difference(seen(a), seen(b))
                found.append(Measurement(pair.intent, pair.domain, photo.name, between, apart))
            done += 1
            report(done)
    return found


def summaries(measurements: Sequence[Measurement]) -> dict[str, Summary]:
    """By what was compared; comparisons that there were none of are left out."""
    found = {
        between: Summary.of([each.apart for each in measurements if each.between == between])
        for between in (*BETWEEN, *TOOLS)
    }
    return {between: summary for between, summary in found.items() if summary is not None}


def by_domain(measurements: Sequence[Measurement]) -> dict[str, dict[str, Summary]]:
    """`summaries` of each domain, by name."""
    domains = sorted({each.domain for each in measurements})
    return {domain: summaries([each for each in measurements if each.domain == domain]) for domain in domains}


def _comparisons(pair: Pair, other: Pair | None) -> Iterator[tuple[str, Grade, Grade]]:
    yield APART, pair.student, pair.teacher
    if pair.second is not None:
        yield APART_THERE, pair.student, pair.teacher
        yield TWO_TEACHERS, pair.second, pair.teacher
    yield "student and original", pair.student, Grade()
    yield "teacher and original", pair.teacher, Grade()
    if other is not None:
        yield "teacher and teacher, another intent", other.teacher, pair.teacher
    for tool in TOOLS:
        yield tool, pair.teacher.model_copy(update={tool: pair.student.settings(tool)}), pair.teacher


def _seen_on(photo: Photo) -> Callable[[Grade], Array]:
    """L*a*b* of the photo under a grade; the last ones are kept."""

    @lru_cache(_KEPT)
    def seen(grade: Grade) -> Array:
        return lab(photo.under(grade))

    return seen

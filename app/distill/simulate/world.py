"""The simulated world: what may be asked, what a wavering teacher may answer, and what people would make of it.

Around the reference answer to each intent lie some rival answers, of which a serve takes one at random: a large model
asked again answers otherwise. The further an answer is from the reference, the less likely is its export.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.distill.dataset import Example
from app.distill.scores import closeness
from app.grade import TOOLS, Grade, ToolSettings, fold

STEP = 5
"""Teachers answer in multiples of it."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How the simulated world behaves.

    Attributes:
        rivals: different answers of the teacher to one intent.
        noise: the most that an answer wavers, 0..1; each draws its own share of it.
        misread: share of the answers, 0..1, that are around another intent's reference.
        zipf: calls fall with the intent's rank to this power.
        exported: share of perfect answers that are exported.
        pickiness: the export of an answer at distance d (0..1) is exp(-pickiness * d) times as likely.
        discarded: share of the other answers that are discarded in so many words.
    """

    rivals: int = 4
    noise: float = 0.6
    misread: float = 0.0
    zipf: float = 1.0
    exported: float = 0.6
    pickiness: float = 4.0
    discarded: float = 0.3


@dataclass(frozen=True, slots=True)
class World:
    """`n` intents of `rivals` answers each.

    Attributes:
        intents: folded, n of them.
        shares: of the calls, n numbers that sum to 1.
        answers: by tool, n * rivals settings; None where the tool is not used.
        distances: of the answers from the reference, tool by tool, n * rivals x 3, each 0 (the same) .. 1.
    """

    manners: Manners
    intents: Sequence[str]
    shares: NDArray[np.float64]
    answers: Mapping[str, Sequence[ToolSettings | None]]
    distances: NDArray[np.float64]


def build(
    rows: Sequence[Example],
    alternates: Sequence[Example],
    manners: Manners,
    seed: int,
    report: Callable[[int], None] = lambda done: None,
) -> World:
    """A world around reference answers; an alternate answer, where there is one, is among the rivals."""
    rng = random.Random(seed)
    rows = _ranked(list({fold(row.intent): row for row in rows}.values()), rng)
    second = {fold(row.intent): row.grade for row in alternates}
    waver = Waver([row.grade for row in rows], rng)
    grades: list[Grade] = []
    distances: list[list[float]] = []
    for done, row in enumerate(rows, 1):
        known = [second[fold(row.intent)]] if fold(row.intent) in second else []
        read = (_read(row, rows, manners.misread, rng).grade for _ in range(manners.rivals - len(known)))
        fresh = [waver(grade, manners.noise * rng.random()) for grade in read]
        for grade in known + fresh:
            grades.append(grade)
            distances.append([distance(tool, grade, row.grade) for tool in TOOLS])
        report(done)
    weights = np.arange(1, len(rows) + 1, dtype=np.float64) ** -manners.zipf
    return World(
        manners,
        [fold(row.intent) for row in rows],
        weights / weights.sum(),
        {tool: [grade.settings(tool) for grade in grades] for tool in TOOLS},
        np.array(distances),
    )


def _read(row: Example, rows: Sequence[Example], misread: float, rng: random.Random) -> Example:
    """What the teacher takes for the row."""
    return rng.choice(rows) if misread and rng.random() < misread else row


def distance(tool: str, given: Grade, wanted: Grade) -> float:
    """Of one tool, 0..1: one minus the quality where both use it; 1 where only one of them does."""
    a, b = given.settings(tool), wanted.settings(tool)
    if a is None or b is None:
        return float(a is not b)
    return min(1.0, max(0.0, 1 - closeness(tool, a, b)))


class Waver:
    """Answers as far from a reference as `noise` (0..1) says; what it makes up is taken from other references."""

    def __init__(self, references: Sequence[Grade], rng: random.Random) -> None:
        self._references, self._rng = references, rng

    def __call__(self, grade: Grade, noise: float) -> Grade:
        return Grade.of({tool: self._tool(tool, grade.settings(tool), noise) for tool in TOOLS})

    def _tool(self, tool: str, settings: ToolSettings | None, noise: float) -> ToolSettings | None:
        rng = self._rng
        if rng.random() < 0.25 * noise:  # used instead of not, or the other way round
            return None if settings is not None else rng.choice(self._references).settings(tool)
        if settings is None:
            return None
        values = list(settings.flat())
        for index, slot in enumerate(settings.slots()):
            value = values[index]
            if slot.options:
                if rng.random() < 0.6 * noise:
                    values[index] = rng.choice(slot.options)
            elif value or rng.random() < 0.1 * noise:
                moved = int(value) * rng.gauss(1, noise) + rng.gauss(0, 10 * noise)
                values[index] = min(slot.high, max(slot.low, STEP * round(moved / STEP)))
        return type(settings).from_flat(tuple(values))


def _ranked(rows: list[Example], rng: random.Random) -> list[Example]:
    """The most popular first, in an order that the seed draws among equals."""
    rng.shuffle(rows)
    return sorted(rows, key=lambda row: -row.popularity)


def export_chances(distances: NDArray[np.float64], manners: Manners) -> NDArray[np.float64]:
    """Of whole answers, from their tools' distances, m x 3."""
    chances: NDArray[np.float64] = manners.exported * np.exp(-manners.pickiness * distances.mean(axis=1))
    return chances


def keep_chances(distances: NDArray[np.float64], manners: Manners) -> NDArray[np.float64]:
    """Of each tool, that an export keeps it."""
    chances: NDArray[np.float64] = np.exp(-manners.pickiness / math.sqrt(len(TOOLS)) * distances)
    return chances

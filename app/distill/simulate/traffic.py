"""Requests and what became of them, drawn from a world some thousands at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from app.distill.simulate.world import World, export_chances, keep_chances
from app.grade import TOOLS

SIMULATED = "simulated"
"""The variant, and the beginning of every id and of the model's name, in all rows."""

AT_ONCE = 100_000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 30
PER_PROJECT = 3

NOTHING, DISCARDED, EXPORTED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Traffic:
    """m consecutive requests of n in all.

    Attributes:
        numbers: m, of the requests.
        times: m, seconds since 1970, ascending.
        intents: m, indices of the world's intents.
        answers: m, indices of the world's answers.
        verdicts: m, NOTHING, DISCARDED or EXPORTED.
        kept: m x 3, whether an export keeps the tool; an unused tool is kept.
    """

    numbers: NDArray[np.int64]
    times: NDArray[np.float64]
    intents: NDArray[np.int64]
    answers: NDArray[np.int64]
    verdicts: NDArray[np.int64]
    kept: NDArray[np.bool_]


def traffic(world: World, requests: int, seed: int) -> Iterator[Traffic]:
    """So many requests over DAYS from BEGIN; the same for the same seed."""
    rng = np.random.default_rng(seed)
    manners = world.manners
    exported, keeps = export_chances(world.distances, manners), keep_chances(world.distances, manners)
    used = np.array([[settings is not None for settings in world.answers[tool]] for tool in TOOLS]).T
    edges = np.cumsum(world.shares)
    for start in range(0, requests, AT_ONCE):
        count = min(AT_ONCE, requests - start)
        numbers = np.arange(start, start + count)
        intents = np.minimum(np.searchsorted(edges, rng.random(count)), len(edges) - 1)
        answers = intents * manners.rivals + rng.integers(manners.rivals, size=count)
        kept = ~used[answers] | (rng.random((count, len(TOOLS))) < keeps[answers])
        # Nobody exports an answer of which nothing is left.
        liked = (rng.random(count) < exported[answers]) & (kept & used[answers]).any(axis=1)
        disliked = rng.random(count) < manners.discarded
        yield Traffic(
            numbers,
            (BEGIN.timestamp() + numbers * (DAYS * 86400 / requests)).astype(np.float64),
            intents,
            answers,
            np.where(liked, EXPORTED, np.where(disliked, DISCARDED, NOTHING)),
            kept,
        )


def request_id(seed: int, number: int) -> str:
    return f"{SIMULATED}-{seed}-{number:09}"


def project_id(seed: int, number: int) -> str:
    return f"{SIMULATED}-{seed}-p{number // PER_PROJECT:08}"

"""Split: some intents for test, drawn once; the others for training."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from app.distill.dataset import DatasetError
from app.grade import fold

TEST, TRAIN = "test", "train"


def split(rows: Sequence[Mapping[str, Any]], test: int, seed: int) -> list[dict[str, Any]]:
    """The rows, `test` intents of them marked for test; the order stays. Intents that fold to one go the same way.

    The draw depends on the seed and the intents alone, not on their order. Raises DatasetError where fewer intents
    would be left for training than for test.
    """
    intents = sorted({fold(row["intent"]) for row in rows})
    if len(intents) < 2 * test:
        raise DatasetError(
            f"{len(intents):,} intents are too few for {test:,} of test and at least as many for training; "
            f"collect more, or choose a smaller --test"
        )
    chosen = set(random.Random(seed).sample(intents, test))
    return [{**row, "split": TEST if fold(row["intent"]) in chosen else TRAIN} for row in rows]

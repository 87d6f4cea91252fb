"""The teacher's rows, and what is asked: the test split's intents, and endless new ones made of their words."""

import random
from collections.abc import Iterator, Sequence
from functools import cache

from app.distill.dataset import Example, read_dataset
from app.grade import fold
from app.settings import CHECKOUT

TEACHER = CHECKOUT / "model_store" / "datasets" / "teacher.jsonl"


@cache
def teacher() -> Sequence[Example]:
    """The whole teacher dataset."""
    return read_dataset(TEACHER)


def examples_to_ask(seed: int = 1) -> list[Example]:
    """The test split in a random order, each intent once."""
    distinct = {fold(example.intent): example for example in teacher() if example.split == "test"}
    examples = list(distinct.values())
    random.Random(seed).shuffle(examples)
    return examples


def new_intents(seed: int = 1) -> Iterator[str]:
    """Intents that nobody has asked yet, never one twice, none of them in the test split.

    Each has as many words as some test intent, drawn from all of their words: what it costs to answer is real, what
    it says is not.
    """
    choose = random.Random(seed)
    intents = [example.intent for example in examples_to_ask()]
    lengths = [len(intent.split()) for intent in intents]
    words = [word for intent in intents if intent.isascii() for word in intent.split()]
    seen = {fold(intent) for intent in intents}
    while True:
        intent = " ".join(choose.choices(words, k=choose.choice(lengths)))
        if fold(intent) not in seen:
            seen.add(fold(intent))
            yield intent

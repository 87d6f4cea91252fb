"""What an answer costs inside the student: ``python -m benchmarks.decoding``.

No HTTP, no batcher: `Engine.generate` is called directly, one intent and its three tools at a time, constrained and
free, then with batches of intents. The two halves of the forward pass are timed where they are called, which leaves
the call itself as it is; all else is told by what lies between them.
Not covered: whether answers are right (`recolor evaluate`), queueing (see `benchmarks.throughput`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import pairwise
from statistics import mean, median
from time import perf_counter

from torch import Tensor

from app.distill.dataset import Example
from app.grade import TOOLS
from app.settings import Settings
from app.students import Prompt, load_engine
from app.students.hf import HFStudent
from app.students.one_pass import OnePass
from benchmarks.harness import (
    RESULTS,
    SPREAD_COLUMNS,
    THREADS,
    BenchmarkError,
    Quick,
    Report,
    Results,
    Rounds,
    Spread,
    Threads,
    rounds_of,
    run,
    table,
)
from benchmarks.intents import examples_to_ask

DECODINGS = ("constrained", "free")
BATCHES = (1, 2, 4, 8, 16, 32)
INTENTS = 100
"""Of one decoding in one round."""
CALLS = 10
"""Of one batch size in one round."""
STAGES = ("read the intent", "encoder", "between", "decoder", "write the answer")


def main(rounds: Rounds = 5, threads: Threads = THREADS, quick: Quick = False, results: Results = RESULTS) -> None:
    """Milliseconds, tokens and stages of `Engine.generate`, by decoding and batch size."""
    rounds, intents, calls = (1, 5, 1) if quick else (rounds, INTENTS, CALLS)
    examples = examples_to_ask()
    engines = {decoding: _engine(decoding, threads) for decoding in DECODINGS}
    alone: dict[str, list[list[float]]] = {decoding: [] for decoding in DECODINGS}
    batched: dict[int, list[list[float]]] = {size: [] for size in BATCHES}
    stages: list[list[float]] = []
    for index in rounds_of(rounds, "decoding"):
        asked = _turn(examples, index * intents, intents)
        for decoding, engine in engines.items():
            alone[decoding].append([_milliseconds(engine, [example]) for example in asked])
        for size in BATCHES:
            parts = [_turn(examples, (index * calls + call) * size, size) for call in range(calls)]
            batched[size].append([_milliseconds(engines["constrained"], part) for part in parts])
        stages += [_stages(engines["constrained"], example) for example in asked]
    tokens = {decoding: _tokens(engine, _turn(examples, 0, intents)) for decoding, engine in engines.items()}
    _report(alone, batched, stages, tokens).publish(results, rounds=rounds, threads=threads, quick=quick)


def _engine(decoding: str, threads: int) -> HFStudent:
    """A student that has answered once. Raises BenchmarkError where it is of another kind."""
    engine = load_engine(Settings(decoding=decoding, threads=threads))
    if not isinstance(engine, HFStudent):
        raise BenchmarkError(f"{engine.model} is no student of the transformers library")
    engine.generate([Prompt("golden hour", tool) for tool in TOOLS])
    return engine


def _turn(examples: Sequence[Example], start: int, count: int) -> list[Example]:
    """So many examples from a place on, beginning anew after the last."""
    return [examples[(start + offset) % len(examples)] for offset in range(count)]


def _milliseconds(engine: HFStudent, examples: Sequence[Example]) -> float:
    prompts = [Prompt(example.intent, tool) for example in examples for tool in TOOLS]
    began = perf_counter()
    engine.generate(prompts)
    return (perf_counter() - began) * 1000


def _tokens(engine: HFStudent, examples: Sequence[Example]) -> dict[str, float]:
    """Mean tokens of an answer, by tool."""
    return {
        tool: mean(answer.tokens for answer in engine.generate([Prompt(example.intent, tool) for example in examples]))
        for tool in TOOLS
    }


def _stages(engine: HFStudent, example: Example) -> list[float]:
    """Milliseconds of each of STAGES; empty for an intent that the student cannot read."""
    with _timed(engine._forward, "_understand", "_answer") as marks:
        began = perf_counter()
        engine.generate([Prompt(example.intent, tool) for tool in TOOLS])
        ended = perf_counter()
    if not marks:
        return []
    return [(after - before) * 1000 for before, after in pairwise([began, *marks, ended])]


@contextmanager
def _timed(forward: OnePass, *methods: str) -> Iterator[list[float]]:
    """The times at which each method begins and ends."""
    marks: list[float] = []

    def timed(method: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def call(*arguments: Tensor | None) -> Tensor:
            marks.append(perf_counter())
            result = method(*arguments)
            marks.append(perf_counter())
            return result

        return call

    for name in methods:
        setattr(forward, name, timed(getattr(forward, name)))
    try:
        yield marks
    finally:
        for name in methods:
            delattr(forward, name)


def _report(
    alone: dict[str, list[list[float]]],
    batched: dict[int, list[list[float]]],
    stages: list[list[float]],
    tokens: dict[str, dict[str, float]],
) -> Report:
    spreads = {decoding: Spread.of(rounds) for decoding, rounds in alone.items()}
    batches = {size: Spread.of(rounds) for size, rounds in batched.items()}
    by_stage = dict(zip(STAGES, zip(*filter(None, stages), strict=True), strict=True))
    if not by_stage:
        raise BenchmarkError("no intent was read")
    whole = sum(map(median, by_stage.values()))
    return Report(
        "decoding",
        [
            table(
                "One intent, three tools, ms",
                ("decoding", *SPREAD_COLUMNS, "tokens"),
                [
                    (decoding, *spread.cells(), f"{sum(tokens[decoding].values()):.1f}")
                    for decoding, spread in spreads.items()
                ],
            ),
            table(
                "Where the time goes (constrained)",
                ("stage", "median ms", "share"),
                [
                    (stage, f"{median(values):.2f}", f"{median(values) / whole:.0%}")
                    for stage, values in by_stage.items()
                ],
            ),
            table(
                "Batches (constrained), ms",
                ("intents", *SPREAD_COLUMNS, "ms an intent"),
                [(str(size), *spread.cells(), f"{spread.p50 / size:.2f}") for size, spread in batches.items()],
            ),
        ],
        {
            "milliseconds": {decoding: asdict(spread) for decoding, spread in spreads.items()},
            "tokens_per_answer": tokens,
            "stage_milliseconds": {stage: median(values) for stage, values in by_stage.items()},
            "batch_milliseconds": {size: asdict(spread) for size, spread in batches.items()},
        },
    )


if __name__ == "__main__":
    run(main)

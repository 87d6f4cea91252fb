"""Latency of one request at a time: ``python -m benchmarks.latency``.

Measured over real HTTP at a client (`http.client`, one kept connection) on the machine of the service, so the client's
own work on the same cores is part of it: uncached answers to the test split's intents, each asked for the first time,
then the same intents again, answered by the cache. In the same run, round by round in turns so that a change of the
machine's speed meets both: the baseline of `benchmarks.baseline`, on as many threads.
Not covered: load (see `benchmarks.throughput`), networks, proxies, TLS.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from http.client import HTTPConnection
from itertools import islice
from statistics import mean, median
from time import perf_counter
from typing import Any

import torch

from app.distill.dataset import Example
from app.settings import Settings
from benchmarks.baseline import JsonBaseline
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
    Target,
    Threads,
    rounds_of,
    run,
    table,
)
from benchmarks.intents import examples_to_ask, new_intents
from benchmarks.service import connected, service

WARM_UP = 20
"""Requests before the first that counts: the service's own warm-up covers the student, not HTTP."""

GENERATED_BY_BASELINE = 10
"""Intents of a round that the baseline answers, too; it is slow."""

UNCACHED, CACHED = "uncached", "cached"
AT_CLIENT, IN_SERVICE, GENERATE = "at the client", "in the service", "in the student"
BASELINES: Mapping[str, Callable[[JsonBaseline, Example], int]] = {
    "json, tuned vocabulary": JsonBaseline.tuned_tokens,
    "json, stock vocabulary": JsonBaseline.stock_tokens,
}


@dataclass(slots=True)
class Samples:
    """Milliseconds by what was measured, a list a round; and what went with them."""

    rounds: dict[str, list[list[float]]] = field(default_factory=dict)
    lengths: dict[str, list[int]] = field(default_factory=dict)
    unread: int = 0

    def begin_round(self, *names: str) -> None:
        for name in names:
            self.rounds.setdefault(name, []).append([])

    def add(self, name: str, milliseconds: float) -> None:
        self.rounds[name][-1].append(milliseconds)


def main(rounds: Rounds = 5, threads: Threads = THREADS, quick: Quick = False, results: Results = RESULTS) -> None:
    """One request at a time, uncached and cached, against generating JSON token by token."""
    examples = examples_to_ask()
    rounds, size, generated = (1, 12, 1) if quick else (rounds, len(examples) // rounds, GENERATED_BY_BASELINE)
    torch.set_num_threads(threads)
    baseline = JsonBaseline(Settings())
    samples = Samples()
    with service(threads=threads) as running, connected(running.port) as connection:
        for intent in islice(new_intents(), WARM_UP):
            _ask(connection, intent)
        for tokens_of in BASELINES.values():
            baseline.generate(examples[0].intent, tokens_of(baseline, examples[0]))
        for index in rounds_of(rounds, "latency"):
            asked = examples[index * size : (index + 1) * size]
            _measure_service(connection, asked, samples)
            _measure_baseline(baseline, asked[:generated], samples)
    _report(samples, baseline).publish(results, rounds=rounds, threads=threads, quick=quick)


def _measure_service(connection: HTTPConnection, asked: Sequence[Example], samples: Samples) -> None:
    """Every intent once, then once more those that the student could read."""
    samples.begin_round(*(f"{UNCACHED}, {where}" for where in (AT_CLIENT, IN_SERVICE, GENERATE)))
    samples.begin_round(*(f"{CACHED}, {where}" for where in (AT_CLIENT, IN_SERVICE)))
    read = [example for example in asked if _sample(connection, example, UNCACHED, samples)]
    samples.unread += len(asked) - len(read)
    for example in read:
        _sample(connection, example, CACHED, samples)


def _sample(connection: HTTPConnection, example: Example, kind: str, samples: Samples) -> bool:
    """Whether it counts: an intent that the student cannot read costs no forward pass."""
    milliseconds, timing, answer = _ask(connection, example.intent)
    if answer["failed"]:
        return False
    if answer["cached"] is not (kind == CACHED):
        raise BenchmarkError(f"an answer that should have been {kind} was not")
    samples.add(f"{kind}, {AT_CLIENT}", milliseconds)
    samples.add(f"{kind}, {IN_SERVICE}", timing["total"])
    if kind == UNCACHED:
        samples.add(f"{kind}, {GENERATE}", timing["generate"])
    return True


def _ask(connection: HTTPConnection, intent: str) -> tuple[float, dict[str, float], dict[str, Any]]:
    """Milliseconds, the Server-Timing header's milliseconds by stage, and the answer."""
    body = json.dumps({"intent": intent}).encode()
    began = perf_counter()
    connection.request("POST", "/recolor", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    milliseconds = (perf_counter() - began) * 1000
    if response.status != 200:
        raise BenchmarkError(f"{intent!r} was answered with {response.status}: {content.decode()}")
    stages = (stage.partition(";dur=") for stage in response.headers["Server-Timing"].split(", "))
    return milliseconds, {name: float(value) for name, _, value in stages}, json.loads(content)


def _measure_baseline(baseline: JsonBaseline, asked: Sequence[Example], samples: Samples) -> None:
    samples.begin_round(*BASELINES)
    for example in asked:
        for name, tokens_of in BASELINES.items():
            tokens = tokens_of(baseline, example)
            began = perf_counter()
            baseline.generate(example.intent, tokens)
            samples.add(name, (perf_counter() - began) * 1000)
            samples.lengths.setdefault(name, []).append(tokens)


def _report(samples: Samples, baseline: JsonBaseline) -> Report:
    spreads = {name: Spread.of(rounds) for name, rounds in samples.rounds.items()}
    uncached, cached = spreads[f"{UNCACHED}, {AT_CLIENT}"], spreads[f"{CACHED}, {AT_CLIENT}"]
    # A ratio of each round, so that both of its sides were measured within seconds.
    ratios = {
        name: [
            median(slow) / median(fast)
            for slow, fast in zip(samples.rounds[name], samples.rounds[f"{UNCACHED}, {AT_CLIENT}"], strict=True)
        ]
        for name in BASELINES
    }
    comparison = [
        (
            name,
            f"{mean(samples.lengths[name]):.0f}",
            f"{median(ratios[name]):.1f}",
            f"{min(ratios[name]):.1f} .. {max(ratios[name]):.1f}",
        )
        for name in BASELINES
    ]
    return Report(
        "latency",
        [
            table("Latency, ms", ("", *SPREAD_COLUMNS), [(name, *spread.cells()) for name, spread in spreads.items()]),
            table(
                "How many times faster an uncached answer is",
                ("than", "tokens", "median of rounds", "rounds"),
                comparison,
            ),
        ],
        {
            "milliseconds": {name: asdict(spread) for name, spread in spreads.items()},
            "ratios": ratios,
            "mean_tokens": {name: mean(lengths) for name, lengths in samples.lengths.items()},
            "baseline_parameters": baseline.parameters,
            "left_out_as_unreadable": samples.unread,
        },
        [
            Target("uncached, p50", uncached.p50, 25, "ms"),
            Target("uncached, p99", uncached.p99, 60, "ms"),
            Target("cached, p50", cached.p50, 2, "ms"),
            *(Target(f"faster than {name}", median(ratios[name]), 10, "x", at_least=True) for name in BASELINES),
        ],
    )


if __name__ == "__main__":
    run(main)

"""What the event log costs: ``python -m benchmarks.events``.

*Latency*: cached answers, the fastest there are, over real HTTP from two services in the same run, one with an event
log (SQLite, as by default) and one without; they take turns request by request, so that a change of the machine's speed
meets both. Beside it the CPU time of each service an answer, threads of the event log included, which other programs
disturb less. *Throughput*: serves of three tools through the whole log in this process, from handing over to the
store's commit, with no service beside it. Not covered: PostgreSQL, whose speed is the server's and the network's.
"""

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

from app.events import Serve, ServedTool
from app.events import log as log_module
from app.events.opening import open_events, open_store
from app.events.overview import overview
from app.grade import TOOLS
from app.grade.example import GRADE
from app.settings import Settings
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
from benchmarks.intents import new_intents
from benchmarks.service import connected, service

INTENTS, REPEATS = 50, 20
"""Cached intents, and how often each is asked for in a round."""

SERVES = 9000
"""Handed over at once; fewer than the queue holds."""

LOGS = {"with events": "", "without events": "none"}
"""The URL of each service's event store."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """Microseconds of handing over one serve, and serves a second until the store had committed the last."""

    hand_over: float
    rate: float


def main(rounds: Rounds = 5, threads: Threads = THREADS, quick: Quick = False, results: Results = RESULTS) -> None:
    """Cached latency with and without events, and events a second."""
    rounds, intents, repeats, serves = (1, 5, 4, 500) if quick else (rounds, INTENTS, REPEATS, SERVES)
    asked = list(islice(new_intents(), intents))
    samples: dict[str, list[list[float]]] = {name: [] for name in LOGS}
    with ExitStack() as stack:
        running = {name: stack.enter_context(service(threads=threads, events_url=url)) for name, url in LOGS.items()}
        connections = {name: stack.enter_context(connected(one.port)) for name, one in running.items()}
        _measure_latency(connections, asked)  # fills the caches
        before = {name: one.cpu_seconds() for name, one in running.items()}
        for _ in rounds_of(rounds, "latency"):
            for name, found in _measure_latency(connections, asked * repeats).items():
                samples[name].append(found)
        answers = rounds * len(asked) * repeats
        cpu = {name: (one.cpu_seconds() - before[name]) * 1000 / answers for name, one in running.items()}
    throughputs = [_measure_throughput(serves) for _ in rounds_of(rounds, "throughput")]
    _report(samples, cpu, throughputs).publish(results, rounds=rounds, threads=threads, quick=quick, serves=serves)


def _measure_latency(connections: Mapping[str, HTTPConnection], asked: Iterable[str]) -> dict[str, list[float]]:
    """Milliseconds at the client, of each service in turn."""
    found: dict[str, list[float]] = {name: [] for name in connections}
    for intent in asked:
        body = json.dumps({"intent": intent}).encode()
        for name, connection in connections.items():
            began = perf_counter()
            connection.request("POST", "/recolor", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            found[name].append((perf_counter() - began) * 1000)
            if response.status != 200:
                raise BenchmarkError(f"{intent!r} was answered with {response.status}: {content.decode()}")
    return found


def _measure_throughput(serves: int) -> Throughput:
    tools = [ServedTool(tool, GRADE.settings(tool), "student", "recolor-mini@1") for tool in TOOLS]
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(events_url=None, events_folder=Path(folder), events_flush_seconds=0.01)
        log, store = open_events(settings), open_store(settings)
        assert store is not None
        store.prepare()
        log_module.CLOSE_SECONDS = 600  # however slow the machine: all of them are to be stored
        log.start()
        began = perf_counter()
        for number in range(serves):
            log.served(Serve(f"r{number}", "golden hour", tools, "control", f"p{number % 1000}"))
        handed_over = perf_counter()
        log.close()
        closed = perf_counter()
        if (stored := overview(store.database).requests) != serves:
            raise BenchmarkError(f"{stored} of {serves} serves were stored")
        store.close()
    return Throughput(1e6 * (handed_over - began) / serves, serves / (closed - began))


def _report(
    samples: Mapping[str, Sequence[Sequence[float]]], cpu: Mapping[str, float], throughputs: Sequence[Throughput]
) -> Report:
    spreads = {name: Spread.of(rounds) for name, rounds in samples.items()}
    added = [median(on) - median(off) for on, off in zip(*samples.values(), strict=True)]
    rates, hand_overs = ([getattr(one, field) for one in throughputs] for field in ("rate", "hand_over"))
    summary = [
        ("added to the median of a cached answer, ms", added, "+.3f"),
        ("serves of three tools a second, until committed", rates, ".0f"),
        ("handing over one serve, µs", hand_overs, ".1f"),
    ]
    return Report(
        "events",
        [
            table(
                "Cached answers, ms",
                ("", *SPREAD_COLUMNS, "CPU of each"),
                [(name, *spread.cells(), f"{cpu[name]:.2f}") for name, spread in spreads.items()],
            ),
            table(
                "Events",
                ("", "median of rounds", "rounds"),
                [
                    (name, f"{median(found):{form}}", f"{min(found):{form}} .. {max(found):{form}}")
                    for name, found, form in summary
                ],
            ),
        ],
        {
            "milliseconds": {name: asdict(spread) for name, spread in spreads.items()},
            "cpu_milliseconds": cpu,
            "milliseconds_added": added,
            "serves_per_second": rates,
            "hand_over_microseconds": hand_overs,
        },
    )


if __name__ == "__main__":
    run(main)

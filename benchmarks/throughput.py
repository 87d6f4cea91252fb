"""Throughput at concurrency 1, 8 and 32: ``python -m benchmarks.throughput``.

Closed loop: so many clients on kept connections, each asking anew as soon as it has its answer; every intent is new, so
that neither the cache nor a shared generation answers. The clients are one process on the cores of the service; they
are bare sockets on one event loop, answers are read but not parsed while the clock runs, and their CPU time is
reported beside the service's. The three concurrencies take turns in every round.
Not covered: arrivals that do not wait for answers (open loop), repeated intents, several replicas.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from statistics import median
from time import perf_counter, process_time

import uvloop

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
from benchmarks.intents import new_intents
from benchmarks.service import Service, service

CONCURRENCIES = (1, 8, 32)
REQUESTS = 384
"""Of one concurrency in one round."""

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")


@dataclass(frozen=True, slots=True)
class Load:
    """One concurrency in one round: requests a second, milliseconds of each, CPU seconds, prompts a forward batch."""

    rate: float
    milliseconds: list[float]
    client_cpu: float
    service_cpu: float
    batch: float


def main(rounds: Rounds = 5, threads: Threads = THREADS, quick: Quick = False, results: Results = RESULTS) -> None:
    """Requests a second at concurrency 1, 8 and 32, all intents distinct."""
    rounds, requests = (1, 32) if quick else (rounds, REQUESTS)
    intents = new_intents()
    loads: dict[int, list[Load]] = {concurrency: [] for concurrency in CONCURRENCIES}
    with service(threads=threads) as running:
        _load(running, max(CONCURRENCIES), list(islice(intents, 2 * max(CONCURRENCIES))))
        for _ in rounds_of(rounds, "throughput"):
            for concurrency in CONCURRENCIES:
                loads[concurrency].append(_load(running, concurrency, list(islice(intents, requests))))
    _report(loads).publish(results, rounds=rounds, requests=requests, threads=threads, quick=quick)


def _load(running: Service, concurrency: int, intents: Sequence[str]) -> Load:
    """Ask everything once. Raises BenchmarkError for an answer that no student generated."""
    batches, prompts = running.metric("recolor_batch_size_count"), running.metric("recolor_batch_size_sum")
    service_cpu, client_cpu, began = running.cpu_seconds(), process_time(), perf_counter()
    replies = uvloop.run(_ask_all(running.port, concurrency, intents))
    seconds, client_cpu = perf_counter() - began, process_time() - client_cpu
    service_cpu = running.cpu_seconds() - service_cpu
    batches, prompts = (
        running.metric("recolor_batch_size_count") - batches,
        running.metric("recolor_batch_size_sum") - prompts,
    )
    for _, content in replies:
        answer = json.loads(content)
        if answer.get("cached") is not False or answer["failed"]:
            raise BenchmarkError(f"an answer was not generated: {content.decode()}")
    return Load(len(replies) / seconds, [taken for taken, _ in replies], client_cpu, service_cpu, prompts / batches)


async def _ask_all(port: int, concurrency: int, intents: Sequence[str]) -> list[tuple[float, bytes]]:
    waiting = iter(intents)
    asked = await asyncio.gather(*(_ask(port, waiting) for _ in range(concurrency)))
    return [reply for replies in asked for reply in replies]


async def _ask(port: int, waiting: Iterator[str]) -> list[tuple[float, bytes]]:
    """One client: takes the next intent until there is none. Milliseconds and body of each answer."""
    replies = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for intent in waiting:
            body = json.dumps({"intent": intent}).encode()
            began = perf_counter()
            writer.write(
                b"POST /recolor HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if length is None:
                raise BenchmarkError(f"{intent!r} was answered with {head.decode()}")
            content = await reader.readexactly(int(length[1]))
            if not head.startswith(b"HTTP/1.1 200 "):
                raise BenchmarkError(f"{intent!r} was answered with {content.decode()}")
            replies.append(((perf_counter() - began) * 1000, content))
    finally:
        writer.close()
    return replies


def _report(loads: dict[int, list[Load]]) -> Report:
    latencies = {c: Spread.of([load.milliseconds for load in of]) for c, of in loads.items()}
    rates = {c: [load.rate for load in of] for c, of in loads.items()}
    # A ratio of each round, so that both of its sides were measured within seconds.
    ratios = [many / one for one, many in zip(rates[min(loads)], rates[max(loads)], strict=True)]
    rows = []
    for concurrency, of in loads.items():
        requests = sum(len(load.milliseconds) for load in of)
        rows.append(
            (
                str(concurrency),
                f"{median(rates[concurrency]):.1f}",
                f"{min(rates[concurrency]):.1f} .. {max(rates[concurrency]):.1f}",
                f"{median(load.batch for load in of):.1f}",
                f"{1000 * sum(load.service_cpu for load in of) / requests:.1f}",
                f"{1000 * sum(load.client_cpu for load in of) / requests:.2f}",
            )
        )
    latency_rows = [(str(c), *spread.cells()) for c, spread in latencies.items()]
    return Report(
        "throughput",
        [
            table(
                "Throughput",
                (
                    "concurrency",
                    "requests/s",
                    "rounds",
                    "prompts a batch",
                    "service CPU, ms each",
                    "client CPU, ms each",
                ),
                rows,
            ),
            table("Latency under load, ms", ("concurrency", *SPREAD_COLUMNS), latency_rows),
        ],
        {
            "requests_per_second": rates,
            "milliseconds": {c: asdict(spread) for c, spread in latencies.items()},
            "ratios": ratios,
            "prompts_per_batch": {c: [load.batch for load in of] for c, of in loads.items()},
            "service_cpu_seconds": {c: [load.service_cpu for load in of] for c, of in loads.items()},
            "client_cpu_seconds": {c: [load.client_cpu for load in of] for c, of in loads.items()},
        },
        [Target("concurrency 32 against 1", median(ratios), 3, "x", at_least=True)],
    )


if __name__ == "__main__":
    run(main)

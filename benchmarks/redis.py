"""What a Redis between replicas gives and costs: ``python -m benchmarks.redis``.

Three services on one machine: two replicas that share a Redis (on a local socket, started here) and one without. Each
new intent goes to the one without, then to a replica, twice (generated, then from its memory), then to the other (from
Redis): in turns, so that a change of the machine's speed meets all. Then Redis is made to hang: the first request that
meets it waits its 50 ms, the others nothing. Every request is counted for a rate limit, with Redis in Redis.
Needs redis-server. Not covered: the network between replicas and Redis, whose round trip comes on top (two for a cached
answer, of which memory saves one; three for a generated one), and load.
"""

import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter, sleep

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
from benchmarks.service import connected, service

INTENTS, WARM_UP = 60, 20

ALONE, ALONE_MEMORY = "generated, no Redis", "memory, no Redis"
SHARED, MEMORY, REDIS = "generated", "memory", "from Redis"
HANGING, FIRST = "generated, Redis hangs", "the first to meet that"


@dataclass(slots=True)
class Samples:
    """Milliseconds at the client by what was measured, a list a round."""

    rounds: dict[str, list[list[float]]] = field(default_factory=dict)

    def begin_round(self) -> None:
        for name in (ALONE, ALONE_MEMORY, SHARED, MEMORY, REDIS, HANGING, FIRST):
            self.rounds.setdefault(name, []).append([])

    def ask(self, name: str, connection: HTTPConnection, intent: str, cached: bool = False) -> None:
        milliseconds, answer = _ask(connection, intent)
        if not answer["failed"]:
            if answer["cached"] is not cached:
                raise BenchmarkError(f"{name}: {intent!r} should {'' if cached else 'not '}have been cached")
            self.rounds[name][-1].append(milliseconds)


def main(rounds: Rounds = 5, threads: Threads = THREADS, quick: Quick = False, results: Results = RESULTS) -> None:
    """Latency with and without a Redis, from it, and while it hangs."""
    rounds, size, warm_up = (1, 5, 2) if quick else (rounds, INTENTS, WARM_UP)
    # Else a machine that is busy otherwise would take a Redis that is only late for one that hangs.
    patience = {"redis_seconds": 5} if quick else {}
    intents, samples = new_intents(), Samples()
    with ExitStack() as stack:
        redis = stack.enter_context(_redis())
        shared = [stack.enter_context(service(threads=threads, redis_url=redis.url, **patience)) for _ in range(2)]
        running = [stack.enter_context(service(threads=threads)), *shared]
        alone, one, other = (stack.enter_context(connected(each.port)) for each in running)
        for intent in islice(intents, warm_up):
            for connection in (alone, one, other):
                _ask(connection, intent)
        for _ in rounds_of(rounds, "redis"):
            samples.begin_round()
            _wait_until(lambda: all(each.metric("recolor_cache_up") for each in shared))
            for intent in islice(intents, size):
                samples.ask(ALONE, alone, intent)
                samples.ask(ALONE_MEMORY, alone, intent, cached=True)
                samples.ask(SHARED, one, intent)
                samples.ask(MEMORY, one, intent, cached=True)
                samples.ask(REDIS, other, intent, cached=True)
            redis.hang()
            samples.ask(FIRST, one, next(intents))
            for intent in islice(intents, size):
                samples.ask(HANGING, one, intent)
            redis.go_on()
    _report(samples).publish(results, rounds=rounds, threads=threads, quick=quick)


@dataclass(frozen=True, slots=True)
class _Redis:
    url: str
    process: "subprocess.Popen[bytes]"

    def hang(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def _redis() -> Iterator[_Redis]:
    """Raises BenchmarkError."""
    program = shutil.which("redis-server")
    if program is None:
        raise BenchmarkError("redis-server is not installed")
    with tempfile.TemporaryDirectory(prefix="recolor-redis-") as folder:
        path = Path(folder) / "redis.sock"
        command = [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_until(path.exists)
            yield _Redis(f"unix://{path}", process)
        finally:
            process.kill()
            process.wait()


def _wait_until(condition: Callable[[], bool]) -> None:
    """Raises BenchmarkError."""
    end = monotonic() + 30
    while not condition():
        if monotonic() > end:
            raise BenchmarkError("Redis does not answer")
        sleep(0.05)


def _ask(connection: HTTPConnection, intent: str) -> tuple[float, dict[str, object]]:
    body = json.dumps({"intent": intent}).encode()
    began = perf_counter()
    connection.request("POST", "/recolor", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    milliseconds = (perf_counter() - began) * 1000
    if response.status != 200:
        raise BenchmarkError(f"{intent!r} was answered with {response.status}: {content.decode()}")
    return milliseconds, json.loads(content)


def _report(samples: Samples) -> Report:
    spreads = {name: Spread.of(rounds) for name, rounds in samples.rounds.items()}

    def ratios(name: str, to: str) -> list[float]:
        """Of each round, so that both sides were measured within seconds."""
        return [median(a) / median(b) for a, b in zip(samples.rounds[name], samples.rounds[to], strict=True)]

    compared = {
        f"{name} / {to}": ratios(name, to)
        for name, to in ((SHARED, ALONE), (MEMORY, ALONE_MEMORY), (REDIS, SHARED), (HANGING, ALONE), (FIRST, ALONE))
    }
    rows = [(name, f"{median(found):.2f}", f"{min(found):.2f} .. {max(found):.2f}") for name, found in compared.items()]
    return Report(
        "redis",
        [
            table("Latency, ms", ("", *SPREAD_COLUMNS), [(name, *spread.cells()) for name, spread in spreads.items()]),
            table("Ratios of medians", ("", "median of rounds", "rounds"), rows),
        ],
        {"milliseconds": {name: asdict(spread) for name, spread in spreads.items()}, "ratios": compared},
        [
            Target(f"{MEMORY}, p50", spreads[MEMORY].p50, 2, "ms"),
            Target(f"{REDIS}, p50", spreads[REDIS].p50, 2, "ms"),
            Target(HANGING, median(compared[f"{HANGING} / {ALONE}"]), 1.1, "x of no Redis"),
        ],
    )


if __name__ == "__main__":
    run(main)

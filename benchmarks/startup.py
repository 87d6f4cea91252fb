"""Time from start to ready, and memory: ``python -m benchmarks.startup``.

Each round is a fresh process: it is ready when it has loaded and verified the student, has answered once, and
``/readyz`` says so. Files are in the page cache, as on a machine that has run it before; after a reboot, reading
libraries from disk comes on top. Memory is the kernel's count for the service's process: resident when ready, after
requests that were all generated, and the peak; libraries that other processes share are counted in full.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from statistics import median

from benchmarks.harness import (
    RESULTS,
    THREADS,
    BenchmarkError,
    Quick,
    Report,
    Results,
    Rounds,
    Target,
    Threads,
    rounds_of,
    run,
    table,
)
from benchmarks.intents import new_intents
from benchmarks.service import Service, connected, service

REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds and CPU seconds to ready; MiB resident when ready, after the requests, and at most."""

    ready_seconds: float
    cpu_seconds: float
    ready_mib: float
    used_mib: float
    peak_mib: float


def main(rounds: Rounds = 5, threads: Threads = THREADS, quick: Quick = False, results: Results = RESULTS) -> None:
    """Seconds until the service is ready, and its resident memory."""
    rounds, requests = (1, 10) if quick else (rounds, REQUESTS)
    intents = list(islice(new_intents(), requests))
    starts = []
    for _ in rounds_of(rounds, "startup"):
        with service(threads=threads) as running:
            starts.append(_measure(running, intents))
    _report(starts).publish(results, rounds=rounds, requests=requests, threads=threads, quick=quick)


def _measure(running: Service, intents: Sequence[str]) -> Start:
    cpu, ready = running.cpu_seconds(), running.memory_mib("VmRSS")
    with connected(running.port) as connection:
        for intent in intents:
            connection.request("POST", "/recolor", json.dumps({"intent": intent}), {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            if response.status != 200:
                raise BenchmarkError(f"{intent!r} was answered with {response.status}: {content.decode()}")
    return Start(running.ready_seconds, cpu, ready, running.memory_mib("VmRSS"), running.memory_mib("VmHWM"))


def _report(starts: Sequence[Start]) -> Report:
    names = {
        "ready_seconds": "start to ready, s",
        "cpu_seconds": "CPU time to ready, s",
        "ready_mib": "resident when ready, MiB",
        "used_mib": "resident after requests, MiB",
        "peak_mib": "peak resident, MiB",
    }
    measured = {name: [asdict(start)[name] for start in starts] for name in names}
    rows = [
        (names[name], f"{median(values):.2f}", f"{min(values):.2f} .. {max(values):.2f}", str(len(values)))
        for name, values in measured.items()
    ]
    return Report(
        "startup",
        [table("Start and memory", ("", "median", "range", "starts"), rows)],
        measured,
        [
            Target("start to ready", median(measured["ready_seconds"]), 8, "s"),
            Target("peak resident memory", max(measured["peak_mib"]), 1e9 / 1024**2, "MiB"),
        ],
    )


if __name__ == "__main__":
    run(main)

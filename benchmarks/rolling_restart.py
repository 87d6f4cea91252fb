"""What a rolling restart costs those who ask meanwhile: ``python -m benchmarks.rolling_restart``.

Two services with the embedded student behind HAProxy, 50 looks a second, of which every fifth is new and has to be
generated. Each service is replaced as a Deployment of the chart does it: a new one is started and admitted, the old one
goes on answering for `preStopSeconds`, of which the gateway needs half to stop asking it, and is then ended by SIGTERM.
Client, gateway and up to three services share the machine, so that the start of a service slows the others, which it
would not on nodes with cores to spare. Not covered: Kubernetes itself, TLS, several gateways.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated

import httpx
import typer
import yaml

from app.settings import CHECKOUT
from benchmarks.gateway import Gateway, Probe, gateway
from benchmarks.harness import (
    RESULTS,
    SPREAD_COLUMNS,
    BenchmarkError,
    Quick,
    Report,
    Results,
    Spread,
    Target,
    run,
    table,
)
from benchmarks.intents import examples_to_ask, new_intents
from benchmarks.service import Service, service
from benchmarks.steady import Outcome, SteadyLoad

SERVICES = 2
POPULAR, NEW_EVERY = 100, 5
STEADY_SECONDS = 10.0
"""Before the restart and after it."""

NAME = "recolor"


def main(
    rate: Annotated[float, typer.Option(min=1, help="Requests a second.")] = 50.0,
    quick: Quick = False,
    results: Results = RESULTS,
) -> None:
    """Two services replaced one after the other under constant load: requests, failures, latency."""
    haproxy = shutil.which("haproxy")
    if haproxy is None:
        raise BenchmarkError("haproxy is not installed")
    values = yaml.safe_load((CHECKOUT / "helm" / "values.yaml").read_text(encoding="utf-8"))
    count, pre_stop, steady = (1, 0.5, 1.0) if quick else (SERVICES, float(values["preStopSeconds"]), STEADY_SECONDS)
    popular = [example.intent for example in examples_to_ask()[: 10 if quick else POPULAR]]
    fresh = list(islice(new_intents(), 4000))

    def intent_of(number: int) -> str:
        return fresh[number // NEW_EVERY % len(fresh)] if number % NEW_EVERY == 0 else popular[number % len(popular)]

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made = stack.enter_context(gateway(haproxy, folder, {NAME: 100}, Probe("/readyz", 5, 2, 3)))
        pods = [_start(made, stack) for _ in range(count)]
        for running, _ in pods:
            _warm(running.port, popular)
        with SteadyLoad(made.port, rate, intent_of) as load:
            sleep(steady)
            began = monotonic()
            for running, end in pods:
                _start(made, stack)
                sleep(pre_stop / 2)
                made.withdraw(NAME, running.port)
                sleep(pre_stop / 2)
                end.close()  # SIGTERM, and wait
            over = monotonic()
            sleep(steady)
    phases = {
        "before": [it for it in load.outcomes if it.began < began],
        "during": [it for it in load.outcomes if began <= it.began < over],
        "after": [it for it in load.outcomes if it.began >= over],
    }
    _report(phases, over - began).publish(results, rate=rate, services=count, pre_stop_seconds=pre_stop, quick=quick)


def _start(made: Gateway, stack: ExitStack) -> tuple[Service, ExitStack]:
    """A service that gets its part of the requests, and what ends it."""
    end = stack.enter_context(ExitStack())
    running = end.enter_context(service(threads=1))
    made.admit(NAME, running.port)
    return running, end


def _warm(port: int, intents: Sequence[str]) -> None:
    """What is popular is in a service's cache, once it has run for a while; a new one's is empty."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        for intent in intents:
            client.post("/recolor", json={"intent": intent})


def _report(phases: Mapping[str, Sequence[Outcome]], seconds: float) -> Report:
    spreads = {
        name: Spread.of([[1000 * it.seconds for it in outcomes if it.status == 200]])
        for name, outcomes in phases.items()
    }
    failures = {name: sum(it.status != 200 for it in outcomes) for name, outcomes in phases.items()}
    rates = {name: len(outcomes) / _length(outcomes) for name, outcomes in phases.items()}
    rows = [(name, f"{rates[name]:.0f}", str(failures[name]), *spread.cells()) for name, spread in spreads.items()]
    ratios = {each: getattr(spreads["during"], each) / getattr(spreads["before"], each) for each in ("p50", "p99")}
    return Report(
        "rolling_restart",
        [table(f"Rolling restart, {seconds:.0f} s; ms", ("", "a second", "failures", *SPREAD_COLUMNS), rows)],
        {
            "seconds": seconds,
            "requests": {name: len(outcomes) for name, outcomes in phases.items()},
            "requests_a_second": rates,
            "failures": failures,
            "milliseconds": {name: asdict(spread) for name, spread in spreads.items()},
            "during_against_before": ratios,
        },
        [Target("requests that failed", sum(failures.values()), 0, "")],
    )


def _length(outcomes: Sequence[Outcome]) -> float:
    """Seconds from the first to the last. A machine that is too busy keeps the client from the rate it is to have."""
    began = [it.began for it in outcomes]
    return max(began) - min(began) if len(began) > 1 else 1.0


if __name__ == "__main__":
    run(main)

"""What the chart promises of its pods, kept: a real HAProxy in front of real service processes, under constant load.

Weights, probe, order of the roll and preStop are those of the rendered manifests; a second of theirs lasts a tenth.
"""

import os
import re
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest
from scipy.stats import binomtest

from benchmarks.gateway import Gateway, Probe, gateway
from benchmarks.steady import SteadyLoad
from tests.api.forked import Forked
from tests.api.service import PATIENCE, PATIENT_PROCESS, until
from tests.helm.chart import CANARY, GATEWAY, NAME, SHARED, Values, render

A_SECOND = 0.1
RATE = 50
OLD, NEW = "scripted@1", "scripted@2"

RELEASE = render(SHARED, CANARY, GATEWAY)
DEPLOYMENT = RELEASE.all("Deployment")[NAME]
POD = DEPLOYMENT["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
READINESS = CONTAINER["readinessProbe"]
PROBE = Probe(
    READINESS["httpGet"]["path"],
    A_SECOND * READINESS["periodSeconds"],
    READINESS["failureThreshold"],
    patience=PATIENCE,  # a pod that is dead refuses at once; one on a busy machine is late
)

pytestmark = pytest.mark.timeout(600)  # four services start


class Pod:
    """A service with a scripted student, one second slow for what is slow."""

    def __init__(self, model: str) -> None:
        self.model = model
        settings = {
            "RECOLOR_MODEL": model,
            "RECOLOR_PORT": "0",
            "RECOLOR_EVENTS_URL": "none",
            "RECOLOR_RATE_LIMIT": "none",
        }
        with open(os.devnull, "w") as nowhere:
            self.process = Forked(os.environ | PATIENT_PROCESS | settings, errors=nowhere)

    @property
    def port(self) -> int:
        """Once it is ready."""
        if not hasattr(self, "_port"):
            found = re.search(r"http://127\.0\.0\.1:(\d+)", self.process.stdout.readline())
            assert found, "it did not start"
            self._port = int(found[1])
        return self._port


class Pods:
    """Those that run. Tests end some; who needs more of a model starts them."""

    def __init__(self) -> None:
        self._all: list[Pod] = []

    def of(self, model: str, count: int) -> list[Pod]:
        running = [pod for pod in self._all if pod.model == model and pod.process.poll() is None][:count]
        started = [Pod(model) for _ in range(count - len(running))]
        self._all += started
        return running + started

    def end(self) -> None:
        for pod in self._all:
            pod.process.kill()
            pod.process.communicate()


@pytest.fixture(scope="module")
def pods() -> Iterator[Pods]:
    running = Pods()
    try:
        for model in (OLD, NEW):
            running.of(model, 2)  # so that they start together
        yield running
    finally:
        running.end()


@pytest.fixture
def haproxy(program: Callable[[str], str]) -> Iterator[Callable[..., Gateway]]:
    """Starts one before the Services of a rendered route."""
    with ExitStack() as stack:

        def start(*parts: Values) -> Gateway:
            # Not pytest's folder: a Unix socket's path is short.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            (rule,) = render(SHARED, GATEWAY, *parts).one("HTTPRoute")["spec"]["rules"]
            weights = {backend["name"]: backend["weight"] for backend in rule["backendRefs"]}
            return stack.enter_context(gateway(program("haproxy"), folder, weights, PROBE))

        yield start


def intent(number: int) -> str:
    """Mostly looks that the cache knows; twice a second one that is a second under way."""
    return f"slow dusk {number}" if number % (RATE // 2) == 0 else f"dusk {number % 40}"


@pytest.mark.parametrize(("weight", "requests"), [(0, 30), (10, 800), (100, 30)])
def test_the_canary_gets_its_part_of_the_requests(
    pods: Pods, haproxy: Callable[..., Gateway], weight: int, requests: int
) -> None:
    made = haproxy(CANARY, {"canary": {"weight": weight}})
    for name, model in ((NAME, OLD), (f"{NAME}-canary", NEW)):
        made.admit(name, pods.of(model, 1)[0].port)
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{made.port}", timeout=PATIENCE) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        asked = pool.map(lambda _: client.post("/recolor", json={"intent": "dusk"}).json()["model"], range(requests))
        by_model = Counter(asked)
    assert by_model.total() == requests
    # A route that keeps its weights fails here once in a million runs.
    assert binomtest(by_model[NEW], requests, weight / 100).pvalue > 1e-6, by_model


def go_on(load: SteadyLoad, requests: int) -> None:
    """Until so many more have ended, however busy the machine is."""
    enough = len(load.outcomes) + requests
    until(lambda: len(load.outcomes) >= enough)


def roll(made: Gateway, old: Pod, new: Pod) -> None:
    """One pod in the place of another, as the Deployment has it done: at most one more, never one fewer."""
    assert DEPLOYMENT["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    made.admit(NAME, new.port)
    pre_stop = A_SECOND * CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    sleep(pre_stop / 2)  # the news travels
    made.withdraw(NAME, old.port)
    sleep(pre_stop / 2)
    # Now it has read what it was sent before, however busy the machine is.
    assert httpx.get(f"http://127.0.0.1:{old.port}{PROBE.path}", timeout=PATIENCE).is_success
    old.process.send_signal(signal.SIGTERM)
    assert old.process.wait(POD["terminationGracePeriodSeconds"]) == 0


def test_a_rolling_upgrade_under_load_fails_no_request(
    pods: Pods, haproxy: Callable[..., Gateway], record_property: Callable[[str, object], None]
) -> None:
    made = haproxy()
    before, after = pods.of(OLD, 2), pods.of(NEW, 2)
    for pod in before:
        made.admit(NAME, pod.port)
    assert [pod.port for pod in after], "they are ready"
    with SteadyLoad(made.port, RATE, intent) as load:
        go_on(load, 2 * RATE)
        for old, new in zip(before, after, strict=True):
            roll(made, old, new)
        go_on(load, 2 * RATE)
    record_property("requests", len(load.outcomes))
    record_property("failures", len(load.failures))
    assert load.failures == []


def test_a_pod_that_is_killed_is_out_within_its_probes_and_costs_only_what_it_was_answering(
    pods: Pods, haproxy: Callable[..., Gateway]
) -> None:
    """The proxy does not send again what was sent: asking twice would be no harm here, but it cannot know.

    Who asked gets 502, or a connection that ends (0) where the one to the pod had served others before.
    """
    made = haproxy()
    killed, other = pods.of(NEW, 2)
    for pod in (killed, other):
        made.admit(NAME, pod.port)
    with SteadyLoad(made.port, RATE, intent) as load:
        go_on(load, RATE)
        killed.process.send_signal(signal.SIGSTOP)  # so that it dies in the middle of an answer
        until(lambda: made.under_way(NAME, killed.port) > 0)
        killed.process.kill()
        killed.process.wait()
        died = monotonic()
        until(lambda: not made.sends_to(NAME, killed.port))
        go_on(load, RATE)
    assert load.failures
    assert {failure.status for failure in load.failures} <= {0, 502}
    assert [failure for failure in load.failures if failure.began > died] == []
    assert made.failed_probes(NAME, killed.port) == PROBE.failures
    assert made.sends_to(NAME, other.port)

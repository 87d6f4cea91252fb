"""The real service as a process, for the benchmarks.

It runs as it would in production, in a process of its own with its log and its events going to files that are deleted
afterwards, except that it has no rate limit, no teacher and a minute for each answer: the student is measured, however
slow it is.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter

from prometheus_client.parser import text_string_to_metric_families

from app.settings import CHECKOUT
from benchmarks.harness import BenchmarkError

COMMAND = (sys.executable, "-m", "app.cli", "serve")
_NOT_INHERITED = {"RECOLOR_API_KEYS", "RECOLOR_TEACHER_API_KEY"}
_GIVEN = {
    "RECOLOR_HOST": "127.0.0.1",
    "RECOLOR_PORT": "0",
    "RECOLOR_RATE_LIMIT": "1000000000/minute",
    "RECOLOR_DEADLINE_SECONDS": "60",
    "RECOLOR_STUDENT_SECONDS": "60",
}
_READY = re.compile(r"ready at http://127\.0\.0\.1:(\d+)$")


@dataclass(frozen=True, slots=True)
class Service:
    """A service that runs and is ready. `ready_seconds` counts from the process's start."""

    pid: int
    port: int
    ready_seconds: float

    def memory_mib(self, field: str) -> float:
        """Memory of the process: ``VmRSS`` is resident now, ``VmHWM`` was its peak."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None, field
        return int(found[1]) / 1024

    def cpu_seconds(self) -> float:
        """CPU time that the process has used, in user and system mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def metric(self, name: str) -> float:
        """The sum of a metric's samples of this name."""
        with connected(self.port) as connection:
            connection.request("GET", "/metrics")
            families = text_string_to_metric_families(connection.getresponse().read().decode())
            return sum(sample.value for family in families for sample in family.samples if sample.name == name)


@contextmanager
def service(**settings: object) -> Iterator[Service]:
    """Start the service with these settings, e.g. ``threads=2``, and end it. Raises BenchmarkError."""
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    given = {f"RECOLOR_{name.upper()}": str(value) for name, value in settings.items()}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors, tempfile.TemporaryDirectory() as events:
        began = perf_counter()
        process = subprocess.Popen(
            COMMAND,
            cwd=CHECKOUT,
            env=inherited | _GIVEN | {"RECOLOR_EVENTS_FOLDER": events} | given,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            port = _wait_until_announced(process)
            if port is None or not _is_ready(port):
                errors.seek(0)
                raise BenchmarkError(f"the service did not start: {(errors.read().splitlines() or ['no output'])[-1]}")
            yield Service(process.pid, port, perf_counter() - began)
        finally:
            process.terminate()
            process.communicate(timeout=240)


def _wait_until_announced(process: "subprocess.Popen[str]") -> int | None:
    """The port, once the service says that it is ready; None where it ends instead."""
    assert process.stdout is not None
    return next((int(found[1]) for line in process.stdout if (found := _READY.search(line.rstrip()))), None)


def _is_ready(port: int) -> bool:
    with connected(port) as connection:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return response.status == 200 and json.loads(response.read())["status"] == "ready"


@contextmanager
def connected(port: int) -> Iterator[HTTPConnection]:
    """A connection that is kept between requests."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        yield connection
    finally:
        connection.close()

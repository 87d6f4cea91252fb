"""What every benchmark shares: the real service as a process, samples and their spread, tables, files of results.

The service runs as it would in production, in a process of its own with its log going to a file, except that it has
no rate limit and no teacher: only the student is measured. Linux only (``/proc``). Missed targets are reported and
do not fail a run: on a machine that is busy otherwise, they would say nothing.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import typer
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from app.settings import CHECKOUT

RESULTS = CHECKOUT / "benchmarks" / "results"
CORES = len(os.sched_getaffinity(0))

Rounds = Annotated[int, typer.Option(min=1, help="Repetitions; medians and spread are taken over them.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads that a model may use.")]
Quick = Annotated[bool, typer.Option("--quick", help="As little as shows that it runs; the numbers mean nothing.")]
Results = Annotated[Path, typer.Option(help="Folder for the JSON file of results.")]

COMMAND = [sys.executable, "-c", "from app.main import serve; from app.settings import Settings; serve(Settings())"]

_NOT_INHERITED = {"RECOLOR_API_KEYS", "RECOLOR_TEACHER_API_KEY"}
_SERVICE = {"RECOLOR_HOST": "127.0.0.1", "RECOLOR_PORT": "0", "RECOLOR_RATE_LIMIT": "1000000000/minute"}
_READY = re.compile(r"ready at http://127\.0\.0\.1:(\d+)$")
_MIB = 1024**2


class BenchmarkError(RuntimeError):
    """What was to be measured did not happen; the message says why."""


def run(main: Callable[..., None]) -> None:
    """Run a benchmark's command line; a failure is one sentence and exit code 1."""
    try:
        typer.run(main)
    except BenchmarkError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        raise SystemExit(1) from None


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
        return int(found[1]) * 1024 / _MIB

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
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        began = perf_counter()
        process = subprocess.Popen(
            COMMAND, cwd=CHECKOUT, env=inherited | _SERVICE | given, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            port = _wait_until_announced(process)
            if port is None or not _is_ready(port):
                errors.seek(0)
                raise BenchmarkError(f"the service did not start: {(errors.read().splitlines() or ['no output'])[-1]}")
            yield Service(process.pid, port, perf_counter() - began)
        finally:
            process.terminate()
            process.communicate(timeout=60)


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


@dataclass(frozen=True, slots=True)
class Spread:
    """Samples of several rounds: percentiles and interquartile range over all, and the range of the rounds' medians."""

    samples: int
    p50: float
    p90: float
    p99: float
    iqr: float
    lowest_median: float
    highest_median: float

    @classmethod
    def of(cls, rounds: Sequence[Sequence[float]]) -> "Spread":
        """Raises BenchmarkError where a round has no samples."""
        if not rounds or not all(rounds):
            raise BenchmarkError("a round measured nothing")
        every = np.concatenate(rounds)
        p25, p50, p75, p90, p99 = map(float, np.percentile(every, (25, 50, 75, 90, 99)))
        medians = [float(np.median(samples)) for samples in rounds]
        return cls(len(every), p50, p90, p99, p75 - p25, min(medians), max(medians))

    def cells(self) -> tuple[str, ...]:
        """For a table whose columns are SPREAD_COLUMNS."""
        numbers = (f"{value:.2f}" for value in (self.p50, self.p90, self.p99, self.iqr))
        return (*numbers, f"{self.lowest_median:.2f} .. {self.highest_median:.2f}", str(self.samples))


SPREAD_COLUMNS = ("p50", "p90", "p99", "IQR", "medians of rounds", "samples")


@dataclass(frozen=True, slots=True)
class Target:
    """A number that was promised. `at_least` says on which side of `wanted` it must lie."""

    name: str
    measured: float
    wanted: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted


@dataclass(slots=True)
class Report:
    """Tables for the reader, numbers for the file ``<name>.json``."""

    name: str
    tables: list[Table]
    results: Mapping[str, Any]
    targets: Sequence[Target] = ()

    def publish(self, folder: Path, **how: object) -> None:
        """Print and write. `how` says how it was measured, e.g. ``rounds=5``."""
        facts = machine()
        console = Console()
        for table in self.tables:
            console.print(table)
        if self.targets:
            console.print(_target_table(self.targets))
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "benchmark": self.name,
            "machine": facts,
            "how": how,
            "results": self.results,
            "targets": [{**asdict(target), "met": target.met} for target in self.targets],
        }
        file = folder / f"{self.name}.json"
        file.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        console.print(f"{facts['cpu']}, {facts['cores']} cores; torch {facts['torch']}; written to {file}")


def machine() -> dict[str, Any]:
    """Where and when. `load_average` is of the last minute, the benchmark's own load included."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": CORES,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3, 1),
        "python": platform.python_version(),
        "torch": version("torch"),
        "transformers": version("transformers"),
        "load_average": round(os.getloadavg()[0], 2),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """The first column is text, the others are numbers."""
    made = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        made.add_column(column, justify="right" if index else "left")
    for row in rows:
        made.add_row(*row)
    return made


def rounds_of(count: int, what: str) -> Iterator[int]:
    """Count rounds with a progress bar, drawn only between them: a bar that moves would be measured, too."""
    with Progress(auto_refresh=False, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=count)
        for index in range(count):
            progress.refresh()
            yield index
            progress.advance(task)


def _target_table(targets: Sequence[Target]) -> Table:
    rows = [
        (
            target.name,
            f"{target.measured:.2f} {target.unit}",
            f"{'≥' if target.at_least else '≤'} {target.wanted:g} {target.unit}",
            "[green]met[/]" if target.met else "[red]missed[/]",
        )
        for target in targets
    ]
    return table("Targets", ("", "measured", "wanted", ""), rows)

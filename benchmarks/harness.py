"""What every benchmark shares: options, samples and their spread, targets, tables, and files of results.

Missed targets are reported and do not fail a run: on a machine that is busy otherwise, they would say nothing.
Linux only (``/proc``).
"""

import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from app.settings import CHECKOUT

RESULTS = CHECKOUT / "benchmarks" / "results"

Rounds = Annotated[int, typer.Option(min=1, help="Repetitions; medians and spread are taken over them.")]
THREADS = os.cpu_count() or 1
Threads = Annotated[int, typer.Option(min=1, help="CPU threads that a model may use.")]
Quick = Annotated[bool, typer.Option("--quick", help="As little as shows that it runs; the numbers mean nothing.")]
Results = Annotated[Path, typer.Option(help="Folder for the JSON file of results.")]


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


SPREAD_COLUMNS = ("p50", "p90", "p99", "IQR", "p50 of rounds", "samples")


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
        if not console.is_terminal:
            console.width = 120
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
        "cores": len(os.sched_getaffinity(0)),
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

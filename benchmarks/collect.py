"""How fast a log becomes a dataset: ``python -m benchmarks.collect``.

Ten million simulated served tools, with their feedback, in Parquet or in an event store of SQLite; `recolor collect`
runs in a process of its own, whose peak memory is its own. Beside it, whether the loop finds what it should: how far
from the reference the kept answers are, and how far a random answer that was served. Not covered: reading JSONL, which
takes longer.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Literal

import numpy as np
import typer
from adbc_driver_sqlite import dbapi
from pyarrow import string, timestamp
from pyarrow.parquet import ParquetFile

from app.distill.dataset import read_dataset
from app.distill.simulate.traffic import traffic
from app.distill.simulate.world import Manners, World, build, distance
from app.distill.simulate.writing import into_files
from app.events.database import Database
from app.events.schema import FEEDBACK, SERVED
from app.events.store import EventStore
from app.grade import TOOLS, fold
from app.settings import CHECKOUT
from benchmarks.harness import RESULTS, BenchmarkError, Quick, Report, Results, Rounds, Target, rounds_of, run, table
from benchmarks.intents import teacher

SEED = 1


@dataclass(frozen=True, slots=True)
class Round:
    seconds: float
    cpu_seconds: float
    peak_gb: float


def main(
    rounds: Rounds = 3,
    events: Annotated[int, typer.Option(min=3, help="Served tools, three a request.")] = 10_000_000,
    log: Annotated[Literal["parquet", "sqlite"], typer.Option(help="Where the events lie.")] = "parquet",
    quick: Quick = False,
    results: Results = RESULTS,
) -> None:
    """Time and memory of `recolor collect`."""
    rounds, events = (1, 6_000) if quick else (rounds, events)
    world = build(teacher()[: 500 if quick else None], [], Manners(), SEED)
    with tempfile.TemporaryDirectory(prefix="recolor-log-") as folder:
        output = Path(folder) / "dataset.jsonl"
        where, size = _write(Path(folder) / "log", log, world, events // len(TOOLS))
        measured = [_collect(where, output) for _ in rounds_of(rounds, "collect")]
        funnel = json.loads(output.with_suffix(".json").read_text(encoding="utf-8"))["funnel"]
        distances = _distances(output, world)
    report = _report(log, measured, funnel, size, *distances)
    report.publish(results, rounds=rounds, events=events, quick=quick, seed=SEED)


def _write(folder: Path, log: str, world: World, requests: int) -> tuple[Path, int]:
    """The log, and its bytes."""
    into_files(folder, ".parquet", world, traffic(world, requests, SEED), SEED, lambda done: None)
    if log == "parquet":
        return folder, sum(file.stat().st_size for file in folder.iterdir())
    where = folder.with_suffix(".sqlite3")
    _into_sqlite(folder, where)
    return where, where.stat().st_size


def _into_sqlite(parquet: Path, file: Path) -> None:
    """The rows that an event store would have, but not through it: it makes sure of every batch, which takes long."""
    store = EventStore(Database(f"sqlite:///{file}"))
    store.prepare()
    store.close()
    with dbapi.connect(file.as_uri(), autocommit=True) as connection, connection.cursor() as cursor:
        for table in (SERVED, FEEDBACK):
            source = ParquetFile(parquet / f"{table.name}.parquet")
            columns = [name for name in source.schema_arrow.names if name in table.columns]
            for batch in source.iter_batches(50_000, columns=columns):  # lest the write-ahead log holds all of them
                times = batch["time"].cast(timestamp("us")).cast(string())
                cursor.adbc_ingest(table.name, batch.set_column(columns.index("time"), "time", times), mode="append")


def _collect(log: Path, output: Path) -> Round:
    command = [sys.executable, "-m", "app.cli", "collect", str(log), "-o", str(output)]
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        running = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=said)
        _, status, usage = os.wait4(running.pid, 0)
        seconds = time.perf_counter() - began
        if status:
            said.seek(0)
            raise BenchmarkError(f"recolor collect ended with {os.waitstatus_to_exitcode(status)}: {said.read()}")
    return Round(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9)


def _distances(output: Path, world: World) -> tuple[float, float]:
    """Mean distance from the reference of the kept answers, and of a random served answer to the same intents."""
    reference = {fold(row.intent): row.grade for row in teacher()}
    rows = {row.intent: row.grade for row in read_dataset(output)}
    kept = [[distance(tool, grade, reference[intent]) for tool in TOOLS] for intent, grade in rows.items()]
    same = np.repeat([intent in rows for intent in world.intents], world.manners.rivals)
    return float(np.mean(kept)), float(world.distances[same].mean())


def _report(log: str, measured: list[Round], funnel: dict[str, Any], size: int, kept: float, served: float) -> Report:
    seconds, peak = median(one.seconds for one in measured), max(one.peak_gb for one in measured)
    lines = [
        ("seconds, median", f"{seconds:.1f}"),
        ("seconds, rounds", ", ".join(f"{one.seconds:.1f}" for one in measured)),
        ("CPU seconds, median", f"{median(one.cpu_seconds for one in measured):.1f}"),
        ("peak memory, GB", f"{peak:.2f}"),
        (f"log, MB of {log}", f"{size / 1e6:.0f}"),
        ("intents kept", f"{funnel['kept']} of {funnel['intents']}"),
        ("distance from the reference, kept", f"{kept:.3f}"),
        ("distance from the reference, a random served answer", f"{served:.3f}"),
    ]
    return Report(
        "collect" if log == "parquet" else f"collect-{log}",
        [table("Simulated events into a dataset", ("", "measured"), lines)],
        {
            "rounds": [{"seconds": one.seconds, "cpu": one.cpu_seconds, "peak_gb": one.peak_gb} for one in measured],
            "funnel": funnel,
            "log_bytes": size,
            "distance_kept": kept,
            "distance_served": served,
        },
        [Target("collect", seconds, 60, "s"), Target("peak memory", peak, 2, "GB")],
    )


if __name__ == "__main__":
    run(main)

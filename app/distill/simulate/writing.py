"""Simulated traffic onto disk: into an event store as a service would write it, or as Parquet or JSONL, fast."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from app.distill.simulate.traffic import DISCARDED, EXPORTED, SIMULATED, Traffic, project_id, request_id
from app.distill.simulate.world import World
from app.events.record import FeedbackRecord, Record, ServeRecord, ToolRecord
from app.events.store import EventStore
from app.grade import TOOLS

MODEL = f"{SIMULATED}-teacher"
RECORDS_AT_ONCE = 2000

Done = Callable[[int], None]
"""Told how many requests have been written in all."""


def into_store(store: EventStore, world: World, parts: Iterable[Traffic], seed: int, done: Done) -> None:
    """The same traffic again adds nothing. Raises EventStoreError."""
    written = 0
    for part in parts:
        for start in range(0, len(part.numbers), RECORDS_AT_ONCE):
            chosen = range(start, min(start + RECORDS_AT_ONCE, len(part.numbers)))
            store.write([record for index in chosen for record in _records(world, part, index, seed)])
            written += len(chosen)
            done(written)


def into_files(folder: Path, ending: str, world: World, parts: Iterable[Traffic], seed: int, done: Done) -> None:
    """``served`` and ``feedback``, with the event store's columns and one more that says that it is simulated."""
    folder.mkdir(parents=True, exist_ok=True)
    outputs = _outputs(world)
    write = _Parquet if ending == ".parquet" else _Jsonl
    served, feedback = write(folder / f"served{ending}"), write(folder / f"feedback{ending}")
    written = 0
    try:
        for part in parts:
            served.send(_served(world, outputs, part, seed))
            feedback.send(_feedback(part, seed))
            written += len(part.numbers)
            done(written)
    finally:
        served.close()
        feedback.close()


def _records(world: World, part: Traffic, index: int, seed: int) -> list[Record]:
    number, answer, verdict = int(part.numbers[index]), part.answers[index], part.verdicts[index]
    common: dict[str, Any] = {
        "time": float(part.times[index]),
        "request_id": request_id(seed, number),
        "project_id": project_id(seed, number),
    }
    chosen = {tool: world.answers[tool][answer] for tool in TOOLS}
    tools = [
        ToolRecord(
            tool=tool,
            output=settings and settings.model_dump_json(),
            source="teacher",
            model=MODEL,
            cached=False,
            reasoning=None,
        )
        for tool, settings in chosen.items()
    ]
    intent = world.intents[part.intents[index]]
    records: list[Record] = [
        ServeRecord(**common, event_id=common["request_id"], intent=intent, variant=SIMULATED, tools=tools)
    ]
    if verdict == EXPORTED:
        kept = [tool for tool, keeps in zip(TOOLS, part.kept[index], strict=True) if keeps]
        records.append(FeedbackRecord(**common, event="exported", tools=kept))
    elif verdict == DISCARDED:
        records.append(FeedbackRecord(**common, event="discarded", tools=None))
    return records


def _outputs(world: World) -> pa.DictionaryArray:
    """The answers as JSON, tool after tool, each different text once."""
    texts = [settings and settings.model_dump_json() for tool in TOOLS for settings in world.answers[tool]]
    return pa.array(texts, pa.string()).dictionary_encode()


def _served(world: World, outputs: pa.DictionaryArray, part: Traffic, seed: int) -> pa.Table:
    """Three rows a request."""
    requests, tools = len(part.numbers), len(TOOLS)
    answers = len(world.answers[next(iter(TOOLS))])
    rows = np.repeat(part.answers, tools) + np.tile(np.arange(tools) * answers, requests)
    ids = pa.array(np.repeat([request_id(seed, number) for number in part.numbers.tolist()], tools))
    projects = pa.array(np.repeat([project_id(seed, number) for number in part.numbers.tolist()], tools))
    intents = pa.DictionaryArray.from_arrays(
        pa.array(np.repeat(part.intents, tools).astype(np.int32)), pa.array(world.intents)
    )
    return pa.table(
        {
            "event_id": ids,
            "tool": _named(np.tile(np.arange(tools), requests), list(TOOLS)),
            "request_id": ids,
            "time": _times(np.repeat(part.times, tools)),
            "intent": intents,
            "output": outputs.take(pa.array(rows)),
            "source": _named(np.zeros(len(rows)), ["teacher"]),
            "model": _named(np.zeros(len(rows)), [MODEL]),
            "cached": pa.array(np.zeros(len(rows), bool)),
            "variant": _named(np.zeros(len(rows)), [SIMULATED]),
            "project_id": projects,
            "simulated": pa.array(np.ones(len(rows), bool)),
        }
    )


def _feedback(part: Traffic, seed: int) -> pa.Table:
    """Three rows a request of which anything was said."""
    told = part.verdicts > 0
    outcomes = np.where(part.verdicts[told, None] == DISCARDED, 2, np.where(part.kept[told], 0, 1))
    requests, tools = outcomes.shape
    ids = np.repeat([request_id(seed, number) for number in part.numbers[told].tolist()], tools)
    return pa.table(
        {
            "request_id": pa.array(ids, pa.string()),
            "tool": _named(np.tile(np.arange(tools), requests), list(TOOLS)),
            "outcome": _named(outcomes.ravel(), ["exported", "removed", "discarded"]),
            "time": _times(np.repeat(part.times[told], tools)),
            "simulated": pa.array(np.ones(len(ids), bool)),
        }
    )


def _named(indices: Any, names: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.int32)), pa.array(names))


def _times(seconds: Any) -> pa.Array:
    return pa.array((seconds * 1e6).astype(np.int64)).cast(pa.timestamp("us", tz="UTC"))


class _Parquet:
    """Tables of one schema, one after another."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._writer: Any = None

    def send(self, table: pa.Table) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, table.schema, compression="zstd")
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class _Jsonl:
    """Rows of tables, one object a line."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("w", encoding="utf-8")

    def send(self, table: pa.Table) -> None:
        for row in table.to_pylist():
            row["time"] = row["time"].isoformat()
            if row.get("output"):
                row["output"] = json.loads(row["output"])
            self._file.write(f"{json.dumps(row, ensure_ascii=False)}\n")

    def close(self) -> None:
        self._file.close()

"""Event logs in every form that `recolor collect` reads, and the rule in plain Python to compare it with."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import insert

from app.distill.collect.rule import Rule
from app.events.database import Database
from app.events.schema import FEEDBACK, SERVED
from app.events.store import EventStore
from app.grade import TOOLS, fold

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
DIM, BRIGHT = '{"exposure":-20}', '{"exposure":20}'
VIVID = '{"name":"vivid","intensity":40}'


@dataclass(frozen=True)
class Tool:
    """One served tool; `second` counts from BEGIN."""

    event_id: str
    tool: str
    intent: str
    output: str | None
    source: str = "teacher"
    second: int = 0

    def row(self) -> dict[str, Any]:
        values = asdict(self)
        time = BEGIN + timedelta(seconds=values.pop("second"))
        return values | {"request_id": f"r{self.event_id}", "time": time}


@dataclass(frozen=True)
class Said:
    """One row of feedback."""

    event_id: str
    tool: str
    outcome: str

    def row(self) -> dict[str, Any]:
        return {"request_id": f"r{self.event_id}", "tool": self.tool, "outcome": self.outcome, "time": BEGIN}


def request(
    event: str, intent: str, adjust: str | None, *, exported: bool = False, source: str = "teacher", second: int = 0
) -> tuple[list[Tool], list[Said]]:
    """All three tools of one answer, the filter vivid, and what is said of them."""
    outputs = {"adjust": adjust, "selective_adjust": None, "filter": VIVID}
    tools = [Tool(event, tool, intent, output, source, second) for tool, output in outputs.items()]
    return tools, [Said(event, tool, "exported") for tool in TOOLS] if exported else []


def together(*requests: tuple[list[Tool], list[Said]]) -> tuple[list[Tool], list[Said]]:
    return [tool for tools, _ in requests for tool in tools], [said for _, told in requests for said in told]


def parquet(folder: Path, served: Iterable[Tool], feedback: Iterable[Said]) -> str:
    folder.mkdir(exist_ok=True)
    _write_parquet(folder / "served.parquet", [tool.row() for tool in served], SERVED.columns.keys())
    _write_parquet(folder / "feedback.parquet", [said.row() for said in feedback], FEEDBACK.columns.keys())
    return str(folder)


def jsonl(folder: Path, served: Iterable[Tool], feedback: Iterable[Said]) -> str:
    folder.mkdir(exist_ok=True)
    rows = [tool.row() for tool in served]
    for row in rows:
        row["output"] = row["output"] and json.loads(row["output"])
    _write_jsonl(folder / "served.jsonl", rows)
    _write_jsonl(folder / "feedback.jsonl", [said.row() for said in feedback])
    return str(folder)


def stored(url: str, served: Sequence[Tool], feedback: Sequence[Said]) -> str:
    store = EventStore(Database(url))
    store.prepare()
    rest = {"model": "large", "cached": False, "variant": "control"}
    with store.database.transaction() as connection:
        if served:
            connection.execute(insert(SERVED), [tool.row() | rest for tool in served])
        if feedback:
            connection.execute(insert(FEEDBACK), [said.row() for said in feedback])
    store.close()
    return url


def reference(served: Iterable[Tool], feedback: Iterable[Said], rule: Rule) -> dict[tuple[str, str], str | None]:
    """The rule of the design by rate, as one would write it without any library."""
    outcomes = {(said.event_id, said.tool, said.outcome) for said in feedback}
    seen: dict[tuple[str, str], dict[str | None, list[Tool]]] = defaultdict(lambda: defaultdict(list))
    for tool in served:
        if tool.source in rule.sources:
            seen[fold(tool.intent), tool.tool][tool.output].append(tool)
    truth: dict[tuple[str, str], str | None] = {}
    for key, rivals in seen.items():
        ranked = []
        for output, serves in rivals.items():
            exports = sum(_exported(serve, outcomes) for serve in serves)
            if exports or rule.unexported:
                ranked.append((-exports / len(serves), -exports, -max(one.second for one in serves), output or ""))
        if ranked:
            truth[key] = min(ranked)[3] or None
    return truth


def _exported(tool: Tool, outcomes: set[tuple[str, str, str]]) -> bool:
    kept = (tool.event_id, tool.tool, "exported") in outcomes
    return kept or (tool.output is None and (tool.event_id, tool.tool, "removed") in outcomes)


def _write_parquet(file: Path, rows: list[dict[str, Any]], columns: Iterable[str]) -> None:
    kinds = {"time": pa.timestamp("us", tz="UTC"), "cached": pa.bool_()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in columns])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)


def _write_jsonl(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    lines = (json.dumps(row, default=datetime.isoformat) for row in rows)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

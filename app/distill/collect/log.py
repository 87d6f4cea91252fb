"""An event log, opened for reading where it lies: PostgreSQL itself, or DuckDB over SQLite, Parquet or JSONL."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import psycopg
from adbc_driver_sqlite import StatementOptions, dbapi

from app.distill.collect.errors import LogError
from app.distill.collect.rule import FEEDBACK, SERVED

MEMORY = "1GB"
"""What DuckDB may take; beyond that it goes on in a temporary folder."""

ROWS_AT_ONCE = 50_000
LOCKED_SECONDS = 5
"""How long a SQLite file may be another process's alone, as it is for a moment when a service begins or ends."""

_JSON_FIELDS = {
    "output": "CASE json_type(line, '$.output') WHEN 'VARCHAR' THEN line->>'$.output' WHEN 'NULL' THEN NULL "
    "ELSE (line->'$.output')::VARCHAR END",
    "time": "try_cast(line->>'$.time' AS TIMESTAMPTZ)::TIMESTAMP",
    "exported": "try_cast(line->>'$.exported' AS BOOLEAN)::BIGINT",
}
_SQLITE_FIELDS = {
    "output": "coalesce(try(decode(output)), CASE WHEN output IS NOT NULL THEN '' END)",  # NULL is an unused tool
    "time": "try_cast(try(decode(time)) AS TIMESTAMP)",
}


@dataclass(slots=True)
class Log:
    """`feedback` is None where `served` has it joined. `unique`: no event can be there twice.

    `unreadable` counts lines that are no JSON objects, by file.
    """

    engine: Any
    served: ir.Table
    feedback: ir.Table | None
    unique: bool = False
    unreadable: dict[str, int] = field(default_factory=dict)


@contextmanager
def open_log(where: str) -> Iterator[Log]:
    """A log by its URL, file or folder. Raises LogError, also for what the engine says while the log is read.

    Files: a SQLite event store; ``.jsonl`` or ``.parquet`` with one row a served tool and ``exported``, as
    `recolor events export` writes them. Folders: files that begin with ``served`` and with ``feedback``, columns as
    in the event store.
    """
    try:
        if where.startswith(("postgresql://", "postgres://")):
            with closing(psycopg.connect(where, application_name="recolor", options="-c timezone=UTC")) as connection:
                yield _postgresql(ibis.postgres.from_connection(connection))
            return
        path = Path(where.removeprefix("sqlite:///"))
        with tempfile.TemporaryDirectory(prefix="recolor-collect-") as folder, _duckdb(folder) as engine:
            yield _files(engine, path)
    except (duckdb.Error, psycopg.Error, dbapi.Error, OSError, ibis.common.exceptions.IbisError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise LogError(f"the event log cannot be read: {said}") from None


@contextmanager
def _duckdb(folder: str) -> Iterator[Any]:
    engine = ibis.duckdb.connect(
        f"{folder}/log.duckdb",
        memory_limit=MEMORY,
        temp_directory=folder,
        threads=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        preserve_insertion_order=False,
    )
    try:
        engine.raw_sql("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        yield engine
    finally:
        engine.disconnect()


def _postgresql(engine: Any) -> Log:
    if not {"served", "feedback"} <= set(engine.list_tables()):
        raise LogError("the database has no event log: the tables served and feedback are missing")
    return _store(engine)


def _store(engine: Any) -> Log:
    """The event store's own tables."""
    served, feedback = engine.table("served"), engine.table("feedback")
    return Log(engine, served.select(list(SERVED)), feedback.select(list(FEEDBACK)), unique=True)


def _files(engine: Any, path: Path) -> Log:
    if path.is_dir():
        served, feedback = (_parts(path, name) for name in ("served", "feedback"))
        if not served:
            raise LogError(f"{path} has no file served*.parquet or served*.jsonl")
        log = Log(engine, _read(engine, "served", served, SERVED), None)
        log.feedback = _read(engine, "feedback", feedback, FEEDBACK) if feedback else _nothing(engine)
        log.unreadable = _unreadable(engine, {"served": served, "feedback": feedback})
        return log
    if not path.is_file():
        raise LogError(f"there is no event log at {path}; name a .sqlite3, .parquet or .jsonl file, a folder or a URL")
    if path.suffix in (".parquet", ".jsonl"):
        served = _read(engine, "served", [path], SERVED | {"exported": "int64"})
        return Log(engine, served, None, unreadable=_unreadable(engine, {"served": [path]}))
    _copy_sqlite(engine, path)
    return _store(engine)


def _parts(folder: Path, name: str) -> list[Path]:
    """All of one kind: Parquet where there is some."""
    return next(filter(None, (sorted(folder.glob(f"{name}*{ending}")) for ending in (".parquet", ".jsonl"))), [])


def _read(engine: Any, name: str, files: Sequence[Path], columns: Mapping[str, str]) -> ir.Table:
    """Raises LogError where columns are missing."""
    if files[0].suffix == ".jsonl":
        _load_jsonl(engine, name, files, columns)
        return engine.table(name)
    found = engine.read_parquet([str(file) for file in files], table_name=f"{name}_files")
    if missing := [column for column in columns if column not in found.columns]:
        raise LogError(f"{files[0]} has no column {', '.join(missing)}")
    if "output" in columns and not found.output.type().is_string():
        raise LogError(f"{files[0]}: the column output is {found.output.type()}, expected JSON as text")
    return found.select(**{column: found[column].cast(kind) for column, kind in columns.items()})


def _load_jsonl(engine: Any, name: str, files: Sequence[Path], columns: Mapping[str, str]) -> None:
    """Into a table of the engine. A line that is no JSON object is left out; nothing in a line can stop the rest.

    Lines are read as one column: no JSON has the character \\x01 in it.
    """
    fields = ", ".join(f"{_JSON_FIELDS.get(column) or _text(column)} AS {column}" for column in columns)
    paths = ", ".join(_quoted(str(file)) for file in files)
    engine.raw_sql(
        f"CREATE TABLE {name} AS SELECT {fields} FROM read_csv([{paths}], columns = {{'line': 'VARCHAR'}}, "  # noqa: S608
        "delim = '\x01', quote = '', escape = '', header = false, auto_detect = false, ignore_errors = true, "
        "null_padding = false, strict_mode = true) "
        "WHERE CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"
    )


def _text(column: str) -> str:
    return f"line->>'$.{column}'"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _unreadable(engine: Any, files: Mapping[str, Sequence[Path]]) -> dict[str, int]:
    """Lines of JSONL that did not become rows, by the table's name."""
    lost = {}
    for name, parts in files.items():
        if parts and parts[0].suffix == ".jsonl":
            lines = sum(_lines(part) for part in parts)
            lost[name] = lines - engine.table(name).count().execute()
    return {name: count for name, count in lost.items() if count}


def _lines(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for line in lines if line.strip())


def _nothing(engine: Any) -> ir.Table:
    """Feedback of a log that has none."""
    return engine.create_table("feedback", schema=ibis.schema(FEEDBACK))


def _copy_sqlite(engine: Any, file: Path) -> None:
    """The event store's tables into the engine, as they are at one moment, whatever a service writes meanwhile.

    All values come as bytes, since SQLite's texts need not be UTF-8. The driver takes the type of a column from its
    first rows: there is one more before them, which is no event. It brings a SQLite of its own, so nothing else in
    this process may close the file meanwhile: that would release the locks of both.
    """
    batches = {StatementOptions.BATCH_ROWS.value: ROWS_AT_ONCE}
    with dbapi.connect(f"{file.resolve().as_uri()}?mode=ro", autocommit=False) as store:
        store.execute(f"PRAGMA busy_timeout = {LOCKED_SECONDS * 1000}").close()
        for name, columns in (("served", SERVED), ("feedback", FEEDBACK)):
            engine.create_table(name, schema=ibis.schema(columns))
            first = ", ".join(f"x'' AS {column}" for column in columns)
            texts = ", ".join(f"CAST({column} AS TEXT)" for column in columns)
            values = ", ".join(_SQLITE_FIELDS.get(column) or f"try(decode({column}))" for column in columns)
            with store.cursor(adbc_stmt_kwargs=batches) as cursor:
                cursor.execute(f"SELECT 0 AS event, {first} UNION ALL SELECT 1, {texts} FROM {name}")  # noqa: S608
                engine.con.register("rows", cursor.fetch_record_batch())
                engine.raw_sql(f"INSERT INTO {name} SELECT {values} FROM rows WHERE event = 1")  # noqa: S608
                engine.con.unregister("rows")

"""What in a log cannot be used, counted by name: nothing is left out without being told."""

import ibis
import ibis.expr.types as ir

from app.distill.collect import rule as rules
from app.distill.collect.log import Log
from app.grade import TOOLS


def count_problems(log: Log) -> tuple[dict[str, int], bool]:
    """The problems that there are, and whether every sound event is there once."""
    known = log.served.tool.isin(list(TOOLS))
    served = _scalars(
        log,
        log.served,
        rows=log.served.count(),
        unknown=(log.served.tool.notnull() & ~known).sum(),
    )
    sound = rules.sound(log.served)
    left = _scalars(log, sound, rows=sound.count())["rows"]
    found = {f"lines of {name} that are no JSON object": lines for name, lines in log.unreadable.items()}
    found["served tools that do not exist"] = served["unknown"]
    found["served tools with something missing or unreadable"] = served["rows"] - served["unknown"] - left
    unique = log.unique or _distinct_keys(log, sound) == left
    if not unique:
        found |= _repetitions(log, sound, left)
    if log.feedback is not None:
        found |= _of_feedback(log, log.feedback)
    return {name: count for name, count in found.items() if count}, unique


def _distinct_keys(log: Log, sound: ir.Table) -> int:
    keys = (sound.event_id + "\n" + sound.tool).hash()
    return _scalars(log, sound, keys=keys.nunique())["keys"]


def _repetitions(log: Log, sound: ir.Table, rows: int) -> dict[str, int]:
    whole = sound.distinct()
    clashing = rules.clashing(whole)
    distinct = _scalars(log, whole, rows=whole.count())["rows"]
    versions = _scalars(log, clashing, rows=clashing.versions.sum())["rows"]
    return {
        "served tools that are there again": rows - distinct,
        "served tools that contradict each other": versions,
    }


def _of_feedback(log: Log, feedback: ir.Table) -> dict[str, int]:
    usable = feedback.filter(
        feedback.request_id.notnull(),
        feedback.tool.isin(list(TOOLS)),
        feedback.outcome.isin(list(rules.OUTCOMES)),
    )
    rows = _scalars(log, feedback, rows=feedback.count())["rows"]
    told = _scalars(log, usable, rows=usable.count())["rows"]
    distinct = usable.distinct()
    unmet = usable.anti_join(log.served, "request_id")
    return {
        "rows of feedback that cannot be read": rows - told,
        "rows of feedback that are there again": told - _scalars(log, distinct, rows=distinct.count())["rows"],
        "requests with feedback that were never served": _scalars(log, unmet, rows=unmet.request_id.nunique())["rows"],
    }


def _scalars(log: Log, table: ir.Table, **wanted: ibis.Value) -> dict[str, int]:
    """Numbers about a table in one pass; 0 where a sum has nothing to add."""
    row = log.engine.to_pyarrow(table.agg(**wanted)).to_pylist()[0]
    return {name: int(value or 0) for name, value in row.items()}

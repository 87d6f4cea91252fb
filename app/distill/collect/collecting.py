"""Collect: run the rule over a log, and count what becomes of everything in it."""

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from operator import mul
from pathlib import Path
from typing import Any

import ibis.expr.types as ir

from app.distill.collect import rule as rules
from app.distill.collect.errors import LogError
from app.distill.collect.log import ROWS_AT_ONCE, Log
from app.distill.collect.problems import count_problems
from app.distill.collect.rule import Rule
from app.distill.collect.vetting import vet
from app.distill.dataset import write_jsonl
from app.distill.whole import write_whole
from app.grade import TOOLS, fold

POPULARITY = {25: 5, 5: 4, 3: 3, 2: 2, 1: 1}
"""Popularity by least calls: 3 and 4 are exactly the published subsets r3 and r5."""

WINNER = ["intent", "tool", "settings", "serves", "exports", "by_rate", "by_bound", "calls"]


@dataclass(frozen=True, slots=True)
class Funnel:
    """Intents on their way into the dataset.

    Attributes:
        calls: requests, of which `simulated` were never made by anybody.
        intents: different ones, folded.
        without_source: never answered by an eligible source.
        without_exports: of the rest, those of which nothing was ever exported; where the rule takes what nobody
            exported, those of which no answer could be read.
        incomplete: the same of some tool only: its truth is not known.
        refolded: the same as another, kept intent once characters are folded, too.
        kept: in the dataset; `rows` of one tool each.
        unexported: of them rows whose answer nobody exported, if the rule takes such.
        rules_differ: rows that the other rule (rate, bound) would have given another answer.
    """

    calls: int
    simulated: int
    intents: int
    without_source: int
    without_exports: int
    incomplete: int
    refolded: int
    kept: int
    rows: int
    unexported: int
    rules_differ: int


@dataclass(frozen=True, slots=True)
class CallsPerIntent:
    """Over all intents: `r3`, `r5` have at least so many calls."""

    mean: float
    median: int
    p90: int
    most: int
    r3: int
    r5: int


@dataclass(slots=True)
class Collection:
    """`problems` counts, by name, what could not be used; `refused` shows some outputs that no tool takes."""

    rule: Rule
    funnel: Funnel
    calls: CallsPerIntent | None
    problems: dict[str, int]
    refused: list[str]
    dataset: list[dict[str, Any]] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """JSON-ready: everything but the dataset."""
        return {
            "rule": asdict(self.rule),
            "funnel": asdict(self.funnel),
            "calls_per_intent": self.calls and asdict(self.calls),
            "problems": self.problems,
            "refused": self.refused,
        }


def collect(log: Log, rule: Rule, say: Callable[[str], None] = lambda step: None) -> Collection:
    """Raises LogError where the log cannot be read."""
    say("looking for what cannot be used")
    problems, unique = count_problems(log)
    say("joining what was served with what was exported")
    events = rules.events(log.served, log.feedback, unique)
    candidates = _kept_aside(log, "candidates", rules.candidates(events, rule))
    calls = _kept_aside(log, "calls", rules.calls(rules.clean(log.served, unique)))
    say("reading the outputs")
    outputs = candidates.filter(candidates.output.notnull()).select("tool", "output").distinct()
    vetting = vet(_rows(log, outputs))
    if vetting.bad:
        problems["different outputs that no tool takes"] = vetting.bad
    say("choosing")
    winners = rules.kept(candidates, vetting.table(), rule)
    chosen, differ = _choose(_rows(log, winners.left_join(calls, "intent").select(WINNER)), rule)
    dataset = _dataset({intent: row for intent, row in chosen.items() if row.keys() >= TOOLS.keys()})
    times = calls.group_by("calls").agg(intents=calls.count(), simulated=calls.simulated.sum())
    histogram = sorted(_rows(log, times.select("calls", "intents", "simulated")))
    asked = sum(intents for _, intents, _ in histogram)
    answered = int(log.engine.execute(rules.folded(candidates.intent).nunique()))
    complete = sum(row.keys() >= TOOLS.keys() for row in chosen.values())
    funnel = Funnel(
        calls=sum(calls * intents for calls, intents, _ in histogram),
        simulated=sum(simulated for _, _, simulated in histogram),
        intents=asked,
        without_source=asked - answered,
        without_exports=answered - len(chosen),
        incomplete=len(chosen) - complete,
        refolded=complete - len(dataset),
        kept=len(dataset),
        rows=len(dataset) * len(TOOLS),
        unexported=sum(row["seen"][tool]["exports"] == 0 for row in dataset for tool in TOOLS),
        rules_differ=differ,
    )
    return Collection(rule, funnel, _calls_per_intent(histogram), problems, vetting.refused, dataset)


def write_dataset(collection: Collection, file: Path) -> Path:
    """Write the dataset, and beside it ``<name>.json`` with how it came about, whose path is given back.

    Raises LogError where there is nothing to write.
    """
    if not collection.dataset:
        raise LogError("no intent can be kept, so no dataset is written: see the counts above")
    write_jsonl(file, collection.dataset)
    manifest = file.with_suffix(".json")
    write_whole(manifest, json.dumps(collection.plain(), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return manifest


def _kept_aside(log: Log, name: str, table: ir.Table) -> ir.Table:
    """What is looked at several times, computed once."""
    return log.engine.create_table(f"recolor_{name}", table, temp=True)


def _rows(log: Log, table: ir.Table) -> Iterator[tuple[Any, ...]]:
    """A result, of which only some rows at a time become Python's."""
    for batch in log.engine.to_pyarrow(table).to_batches(max_chunksize=ROWS_AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _choose(winners: Iterable[tuple[Any, ...]], rule: Rule) -> tuple[dict[str, dict[str, Any]], int]:
    """The chosen answers by intent, and of how many tools the other rule chooses another."""
    chosen: dict[str, dict[str, Any]] = {}
    other = 0
    for intent, tool, settings, serves, exports, by_rate, by_bound, calls in winners:
        if by_rate if rule.by == "rate" else by_bound:
            answer = {"settings": settings, "serves": serves, "exports": exports}
            chosen.setdefault(intent, {"calls": calls})[tool] = answer
        else:
            other += 1
    return chosen, other


def _dataset(chosen: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows as `app.distill.dataset` reads them, in the order of intents; of those that fold to one, the most called."""
    best: dict[str, str] = {}
    for intent in sorted(chosen, key=lambda intent: (-chosen[intent]["calls"], intent)):
        best.setdefault(fold(intent), intent)
    return [_example(intent, chosen[intent]) for folded, intent in sorted(best.items()) if folded]


def _example(intent: str, row: Mapping[str, Any]) -> dict[str, Any]:
    settings = {tool: row[tool]["settings"] and json.loads(row[tool]["settings"]) for tool in TOOLS}
    seen = {tool: {"exports": row[tool]["exports"], "serves": row[tool]["serves"]} for tool in TOOLS}
    popularity = next(popular for least, popular in POPULARITY.items() if row["calls"] >= least)
    return {"intent": intent, **settings, "popularity": popularity, "calls": row["calls"], "seen": seen}


def _calls_per_intent(histogram: Sequence[tuple[int, int, int]]) -> CallsPerIntent | None:
    """From (calls, intents with so many calls, …), ascending; None of an empty log."""
    if not histogram:
        return None
    calls, intents = ([row[column] for row in histogram] for column in (0, 1))
    below, total = list(accumulate(intents)), sum(intents)

    def quantile(part: float) -> int:
        return calls[bisect_left(below, part * total)]

    def at_least(least: int) -> int:
        return sum(count for times, count in zip(calls, intents, strict=True) if times >= least)

    mean = sum(map(mul, calls, intents)) / total
    return CallsPerIntent(mean, quantile(0.5), quantile(0.9), calls[-1], at_least(3), at_least(5))

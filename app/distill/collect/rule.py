"""The rule of the design (section 5.1) as Ibis expressions: one query, whatever engine runs it.

    served, feedback ─ events ─► candidates (one row a rival answer) ─ kept ─► the winners

`served` and `feedback` have the columns of the event store's tables. A log that comes joined has ``exported`` in
`served` and no `feedback`. The engine sees texts only; what they mean is looked up in `vetted` (`app.distill.collect.
vetting`), one row a distinct output.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import ibis
import ibis.expr.types as ir

from app.grade import TOOLS

Decision = Literal["rate", "bound"]

KEYS = ["event_id", "tool"]
SERVED = {
    "event_id": "string",
    "tool": "string",
    "request_id": "string",
    "time": "timestamp",
    "intent": "string",
    "output": "string",
    "source": "string",
}
FEEDBACK = {"request_id": "string", "tool": "string", "outcome": "string"}
VETTED = {"tool": "string", "output": "string", "settings": "string", "valid": "boolean"}
SIMULATED = "simulated-"
"""How the request ids of simulated traffic begin."""

OUTCOMES = ("exported", "removed", "discarded")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is eligible and what wins.

    Attributes:
        sources: who may have written the truth.
        by: ``rate``, exports / serves as published; or ``bound``, that rate's lower confidence bound.
        confidence: of the bound, one-sided, between 0 and 1.
    """

    sources: Sequence[str] = ("teacher",)
    by: Decision = "rate"
    confidence: float = 0.95


def events(served: ir.Table, feedback: ir.Table | None, unique: bool = False) -> ir.Table:
    """Sound rows, each event once, with ``exported`` 0 or 1.

    An unused tool shares the export of its request. `unique` says that no event is there twice.
    """
    whole = sound(served)
    if not unique:
        whole = whole.distinct()
        whole = whole.anti_join(clashing(whole), KEYS)
    if feedback is not None:
        kept = feedback.group_by(["request_id", "tool"]).agg(
            kept=ibis.ifelse(feedback.outcome == "exported", 1, 0).max(),
            removed=ibis.ifelse(feedback.outcome == "removed", 1, 0).max(),
        )
        joined = whole.left_join(kept, ["request_id", "tool"])
        exported = (joined.kept == 1) | ((joined.removed == 1) & joined.output.isnull())
        whole = joined.select(*whole.columns, exported=ibis.ifelse(exported, 1, 0).cast("int64"))
    return whole


def sound(served: ir.Table) -> ir.Table:
    """The rows of a tool that exists, with nothing missing but the output of an unused tool."""
    needed = [name for name in served.columns if name != "output"]
    return served.filter(
        *(served[name].notnull() for name in needed),
        served.intent.strip() != "",
        served.tool.isin(list(TOOLS)),
    )


def clashing(whole: ir.Table) -> ir.Table:
    """The keys of events whose rows, repetitions aside, contradict each other: none of them can be believed."""
    versions = whole.group_by(KEYS).agg(versions=whole.count())
    return versions.filter(versions.versions > 1)


def folded(intent: ir.StringValue) -> ir.StringValue:
    """By case and spaces. What else `app.grade.fold` does, the service has done before it logs an intent."""
    return intent.lower().re_replace(r"\s+", " ").strip()


def candidates(events: ir.Table, rule: Rule) -> ir.Table:
    """Rival outputs, as texts, to intents as they were logged: how often served and exported, and when last served."""
    eligible = events.filter(events.source.isin(list(rule.sources)))
    return eligible.group_by(["intent", "tool", "output"]).agg(
        serves=eligible.count(), exports=eligible.exported.sum(), newest=eligible.time.max()
    )


def calls(events: ir.Table) -> ir.Table:
    """How often each intent was asked for, whoever answered, and how many of these calls nobody made."""
    logged = events.group_by(["intent", events.request_id.startswith(SIMULATED).name("simulated")])
    counted = logged.agg(calls=events.event_id.nunique())
    return counted.group_by(folded(counted.intent).name("intent")).agg(
        calls=counted.calls.sum(), simulated=ibis.ifelse(counted.simulated, counted.calls, 0).sum()
    )


def kept(candidates: ir.Table, vetted: ir.Table, rule: Rule) -> ir.Table:
    """The exported answer that wins for each intent and tool, ``by_rate`` or ``by_bound`` (1 where it wins by that).

    Equal rates: more exports win, then the newer, then, lest two runs differ, the text that comes first.
    """
    answers = _understood(candidates, vetted)
    answers = answers.filter(answers.exports > 0)
    rate = answers.exports.cast("float64") / answers.serves.cast("float64")
    answers = answers.mutate(rate=rate, bound=lower_bound(rate, answers.serves.cast("float64"), rule.confidence))
    ranked = answers.mutate(
        **{
            f"by_{name}": ibis.ifelse(ibis.row_number().over(_best_first(answers, name)) == 0, 1, 0)
            for name in ("rate", "bound")
        }
    )
    return ranked.filter((ranked.by_rate == 1) | (ranked.by_bound == 1)).drop("rate", "bound")


def lower_bound(rate: ir.FloatingValue, serves: ir.FloatingValue, confidence: float) -> ir.FloatingValue:
    """Of Wilson's score interval (1927), one-sided: what the rate is at least, having been seen so often."""
    z = NormalDist().inv_cdf(confidence)
    middle = rate + z * z / (2 * serves)
    spread = z * (rate * (1 - rate) / serves + z * z / (4 * serves * serves)).sqrt()
    return (middle - spread) / (1 + z * z / serves)


def _understood(candidates: ir.Table, vetted: ir.Table) -> ir.Table:
    """The candidates that are settings of their tool; those that mean the same are one."""
    joined = candidates.left_join(vetted, ["tool", "output"])
    answers = joined.filter(joined.output.isnull() | joined.valid)
    answers = answers.mutate(intent=folded(answers.intent))
    return answers.group_by(["intent", "tool", "settings"]).agg(
        serves=answers.serves.sum(), exports=answers.exports.sum(), newest=answers.newest.max()
    )


def _best_first(answers: ir.Table, by: str) -> Any:
    order = [answers[name].desc() for name in (by, "exports", "newest")]
    return ibis.window(group_by=["intent", "tool"], order_by=[*order, answers.settings.coalesce("")])

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
        unexported: whether a tool of which nothing was exported gets the newest answer, instead of none: also one
            that users removed or discarded, and of another request than the tools that were exported.
    """

    sources: Sequence[str] = ("teacher",)
    by: Decision = "rate"
    confidence: float = 0.95
    unexported: bool = False


def losses(rule: Rule) -> dict[str, str]:
    """Why intents are not in the dataset, in words, by the funnel's names and in its order."""
    lacking = "answered readably" if rule.unexported else "exported"
    return {
        "without_source": f"never answered by {' or '.join(rule.sources)}",
        "without_exports": f"never {lacking}",
        "incomplete": f"some tool never {lacking}",
        "refolded": "the same but for characters",
    }


def events(served: ir.Table, feedback: ir.Table | None, unique: bool = False) -> ir.Table:
    """`clean` rows with ``exported`` 0 or 1. An unused tool shares the export of its request."""
    whole = clean(served, unique)
    return whole if feedback is None else _with_exports(whole, feedback)


def clean(served: ir.Table, unique: bool = False) -> ir.Table:
    """Sound rows, each event once. `unique` says that no event is there twice."""
    whole = sound(served)
    if unique:
        return whole
    whole = whole.distinct()
    return whole.anti_join(clashing(whole), KEYS)


def _with_exports(served: ir.Table, feedback: ir.Table) -> ir.Table:
    """Joined with one row a request, of two columns a tool: feedback is most of what an engine must hold at once."""

    def said(tool: str, outcome: str) -> ir.IntegerValue:
        return ibis.ifelse((feedback.tool == tool) & (feedback.outcome == outcome), 1, 0).max()

    told = feedback.group_by("request_id").agg(
        **{f"{tool}_{outcome}": said(tool, outcome) for tool in TOOLS for outcome in ("exported", "removed")}
    )
    joined = served.left_join(told, "request_id")
    exported = ibis.or_(
        *(
            (joined.tool == tool)
            & ((joined[f"{tool}_exported"] == 1) | ((joined[f"{tool}_removed"] == 1) & joined.output.isnull()))
            for tool in TOOLS
        )
    )
    return joined.select(*served.columns, exported=ibis.ifelse(exported, 1, 0).cast("int64"))


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


def calls(served: ir.Table) -> ir.Table:
    """How often each intent was asked for, whoever answered, and how many of these calls nobody made."""
    logged = served.group_by(["intent", served.request_id.startswith(SIMULATED).name("simulated")])
    counted = logged.agg(calls=served.event_id.nunique())
    return counted.group_by(folded(counted.intent).name("intent")).agg(
        calls=counted.calls.sum(), simulated=ibis.ifelse(counted.simulated, counted.calls, 0).sum()
    )


def kept(candidates: ir.Table, vetted: ir.Table, rule: Rule) -> ir.Table:
    """The answer that wins for each intent and tool, ``by_rate`` or ``by_bound`` (1 where it wins by that).

    Equal rates: more exports win, then the newer, then, lest two runs differ, the text that comes first. What nobody
    exported wins only where the rule takes such answers, and no rival was exported.
    """
    answers = _understood(candidates, vetted)
    if not rule.unexported:
        answers = answers.filter(answers.exports > 0)
    rate = answers.exports.cast("float64") / answers.serves.cast("float64")
    bound = lower_bound(rate, answers.serves.cast("float64"), rule.confidence)
    answers = answers.mutate(rate=rate, bound=ibis.ifelse(answers.exports > 0, bound, 0.0))
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

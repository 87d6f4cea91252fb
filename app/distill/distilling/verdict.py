"""Go or no-go: the new student against the current one, criterion by criterion."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from app.distill.augment.mistakes import Thresholds
from app.distill.comparison import report as comparison
from app.distill.comparison.components import Components
from app.distill.comparison.resampling import Difference
from app.distill.dataset import Example
from app.distill.distilling.plan import Limits
from app.distill.distilling.scoring import Latency, answers, brief, wrong
from app.distill.distilling.stages import Result

EXAMPLES = 5
"""Of each kind that are shown."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """`found`, the `measure`, must reach the `limit` (`at_least`), or must not pass it."""

    name: str
    new: float
    current: float
    measure: str
    found: float
    limit: float
    at_least: bool
    words: str

    @property
    def met(self) -> bool:
        return self.found >= self.limit if self.at_least else self.found <= self.limit

    def plain(self) -> Result:
        return asdict(self) | {"met": self.met}


def criteria(
    new: Result, current: Result, gain: Difference, latencies: Sequence[Latency], limits: Limits
) -> list[Criterion]:
    """`new` and `current` are judged students, `latencies` theirs in this order."""
    overalls = [judged["test"]["scores"]["All"]["overall"] for judged in (new, current)]
    validities = [judged["test"]["validity"] for judged in (new, current)]
    passed = [judged["behaviours"]["passed"] for judged in (new, current)]
    kind, share = _worst_kind(new, current)
    of_kind = [judged["behaviours"]["kinds"][kind][0] for judged in (new, current)]
    total, medians = new["behaviours"]["total"], [latency.median for latency in latencies]
    allowed = int(limits.lost * total)
    return [
        Criterion(
            "overall",
            new=overalls[0],
            current=overalls[1],
            measure="lower end of the difference",
            found=gain.overall.low,
            limit=-limits.margin,
            at_least=True,
            words=f"On the same test rows at most {limits.margin:g} worse, with 95% confidence (paired bootstrap).",
        ),
        Criterion(
            "validity",
            new=validities[0],
            current=validities[1],
            measure="share of valid answers",
            found=validities[0],
            limit=1.0,
            at_least=True,
            words="Every answer that it gives can be read and is within the tools' ranges.",
        ),
        Criterion(
            "behaviours",
            new=passed[0],
            current=passed[1],
            measure="checks that hold",
            found=passed[0],
            limit=passed[1] - allowed,
            at_least=True,
            words=f"Of {total} checks of behaviour at most {allowed} fewer hold.",
        ),
        Criterion(
            f"behaviours: {kind.replace('_', ' ')}",
            new=of_kind[0],
            current=of_kind[1],
            measure="share of the kind's checks lost",
            found=share,
            limit=limits.lost_of_kind,
            at_least=False,
            words=f"Of no kind of behaviour more than {limits.lost_of_kind:.0%} are lost; of this one most are.",
        ),
        Criterion(
            "latency, ms",
            new=medians[0],
            current=medians[1],
            measure="times as long",
            found=medians[0] / medians[1],
            limit=limits.slower,
            at_least=False,
            words=f"One request takes at most {limits.slower:g} times as long (median, both asked in turn).",
        ),
    ]


def _worst_kind(new: Result, current: Result) -> tuple[str, float]:
    """The kind of behaviour of which most checks are lost, and their share of it; below 0 where all gain."""
    held, before = new["behaviours"]["kinds"], current["behaviours"]["kinds"]
    shares = {kind: (before[kind][0] - passed) / total for kind, (passed, total) in held.items()}
    return max(shares.items(), key=lambda one: one[1])


def turned(rows: Sequence[Example], before: Result, after: Result, least: Thresholds) -> Result:
    """How many answers went from wrong to right and back, and those that changed most, with both answers."""
    was, now = wrong(rows, before, least), wrong(rows, after, least)
    pairs = list(zip(was, now, strict=True))
    scores = [_components(rows, judged).row_scores() for judged in (before, after)]
    gains = scores[1] - scores[0]
    given = [answers(judged) for judged in (before, after)]

    def most(kind: tuple[bool, bool], sign: int) -> list[Result]:
        chosen = sorted((i for i, pair in enumerate(pairs) if pair == kind), key=lambda i: (-sign * gains[i], i))
        return [
            {
                "intent": rows[i].intent,
                "wanted": brief(rows[i].grade),
                "before": brief(given[0][i]),
                "after": brief(given[1][i]),
                "scores": [float(scores[0][i]), float(scores[1][i])],
            }
            for i in chosen[:EXAMPLES]
        ]

    return {
        "rows": len(rows),
        "mended": pairs.count((True, False)),
        "broken": pairs.count((False, True)),
        "still_wrong": pairs.count((True, True)),
        "still_right": pairs.count((False, False)),
        "examples": {"mended": most((True, False), 1), "broken": most((False, True), -1)},
    }


def intervals(rows: Sequence[Example], judged: Result) -> Result:
    """Of a student's answers to the rows of a part, by subset."""
    return comparison.plain_intervals(comparison.by_subset(rows, _components(rows, judged)))


def differences(rows: Sequence[Example], current: Result, new: Result) -> dict[str, Difference]:
    """Of the new student and the current one, by subset."""
    return comparison.differences(rows, _components(rows, current), _components(rows, new))


def _components(rows: Sequence[Example], judged: Result) -> Components:
    return comparison.components(rows, answers(judged))

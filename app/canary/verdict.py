"""Promote, wait or roll back: every criterion's finding, and what they come to.

A criterion is worse when the whole interval lies above what is tolerated, good when none of it does, and undecided
otherwise. One that is worse rolls the canary back; it is promoted when all are good.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from app.canary.counts import Tracks
from app.canary.criteria import Criterion
from app.canary.intervals import Estimate, difference, quantile, ratio, share
from app.canary.words import Unit, apart, interval, tolerated

QUANTILE = 0.95

LEAST_REQUESTS = 200
"""Before so many of each track the recorded series have no value, either."""

Verdict = Literal["promote", "wait", "roll back"]
Judged = Literal["good", "undecided", "worse"]


@dataclass(frozen=True, slots=True)
class Guarantee:
    """With the probability `confidence` no canary that is as good as is tolerated is rolled back, in `looks` looks.

    And none that is worse is promoted. By Bonferroni's inequality, so that looks may overlap and share their data.
    """

    confidence: float = 0.95
    looks: int = 20

    def tail(self, criteria: int) -> float:
        """How often an interval may miss on one side."""
        return (1 - self.confidence) / (self.looks * criteria)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found on a criterion. None stands for what is not known, as the end of an interval without one.

    Attributes:
        unit: `share` (0..1; the difference, too), `seconds` (the difference is a ratio) or `state`.
        note: why it was judged so, where no interval says it.
    """

    name: str
    unit: Unit
    most: float
    judged: Judged
    note: str = ""
    stable: float | None = None
    canary: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def reason(self) -> str:
        if self.note:
            return self.note
        known = f"{apart(self.difference, self.unit)} ({interval(self.low, self.high, self.unit)})"
        return f"{self.name}: canary against stable {known}, tolerated {tolerated(self.most, self.unit)}"


@dataclass(frozen=True, slots=True)
class Report:
    tracks: Tracks
    window: str
    guarantee: Guarantee
    least: int
    findings: Sequence[Finding]

    @property
    def verdict(self) -> Verdict:
        judged = {finding.judged for finding in self.findings}
        return "roll back" if "worse" in judged else "promote" if judged == {"good"} else "wait"

    @property
    def reasons(self) -> list[str]:
        """Of the verdict: what is worse, or what is undecided, each once; else what is good."""
        deciding = {"roll back": "worse", "wait": "undecided", "promote": "good"}[self.verdict]
        return list(dict.fromkeys(finding.reason for finding in self.findings if finding.judged == deciding))

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "verdict": self.verdict,
            "reasons": self.reasons,
            "namespace": self.tracks.release.namespace,
            "job": self.tracks.release.job,
            "model": self.tracks.model,
            "window": self.window,
            "requests": dict(self.tracks.requests),
            "min_requests": self.least,
            "confidence": self.guarantee.confidence,
            "looks": self.guarantee.looks,
            "criteria": [asdict(finding) | {"reason": finding.reason} for finding in self.findings],
        }


def judge(tracks: Tracks, criteria: Sequence[Criterion], window: str, least: int, guarantee: Guarantee) -> Report:
    """`window` is the one that was counted in, e.g. ``10m``; `least` are the requests that each track must have had."""
    tail = guarantee.tail(sum(bool(it.counts) for it in criteria))
    missing = _missing(tracks, window, least)
    findings = [_find(tracks, it, tail, missing) for it in criteria]
    return Report(tracks, window, guarantee, least, findings)


def _missing(tracks: Tracks, window: str, least: int) -> str | None:
    """Why the sample does not do; None where it does."""
    if len(tracks.models) > 1:
        return f"the window of {window} reaches back to another canary: {' and '.join(sorted(tracks.models))} answered"
    for track in ("canary", "stable"):
        asked = tracks.requests[track]
        if asked <= 0:
            return f'no {track} traffic in the window: no request in {window} has the label track="{track}"'
        if asked < least:
            return f"too few requests: {track} was asked {asked:,.0f} times in {window}, {least:,} are wanted"
    return None


def _find(tracks: Tracks, criterion: Criterion, tail: float, missing: str | None) -> Finding:
    if not criterion.counts:
        return _state(tracks, criterion)
    unit: Unit = "seconds" if "times" in criterion.counts else "share"
    stable, canary = (_estimate(tracks, criterion, track, tail) for track in ("stable", "canary"))
    if stable is None or canary is None:
        note = missing or f"{criterion.name}: {'stable' if stable is None else 'canary'} counted nothing in the window"
        seen = (it.value if it else None for it in (stable, canary))
        return Finding(criterion.name, unit, criterion.most, "undecided", note, *seen)
    away = ratio(canary, stable) if unit == "seconds" else difference(canary, stable)
    judged: Judged = "undecided"
    if missing is None:
        judged = "worse" if away.low > criterion.most else "good" if away.high <= criterion.most else "undecided"
    ends = (_finite(it) for it in (away.value, away.low, away.high))
    return Finding(criterion.name, unit, criterion.most, judged, missing or "", stable.value, canary.value, *ends)


def _estimate(tracks: Tracks, criterion: Criterion, track: str, tail: float) -> Estimate | None:
    counts = criterion.counts
    if "times" in counts:
        return quantile(tracks.times(counts["times"], track), QUANTILE, tail)
    part, whole = (tracks.count(counts[name], track) / criterion.together for name in ("part", "whole"))
    return share(part, whole, tail)


def _state(tracks: Tracks, criterion: Criterion) -> Finding:
    value = tracks.state(criterion.series)
    judged: Judged
    if value is None:
        judged, note = "undecided", f"{criterion.name}: no pod of the canary that has been ready is scraped"
    elif value > criterion.most:
        judged, note = "worse", f"{criterion.name}: a pod of the canary is without its student"
    else:
        judged, note = "good", f"{criterion.name}: no pod of the canary is without its student"
    return Finding(criterion.name, "state", criterion.most, judged, note, canary=value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

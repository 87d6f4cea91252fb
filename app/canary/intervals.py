"""Intervals for shares and quantiles, and for how far two of them are apart.

- *A share*: every share from which the observed one is no further than ``log(1 / tail)`` in relative entropy times the
  observations. By Chernoff's bound (Hoeffding 1963, theorem 1) it misses the true share on either side at most with
  the probability `tail`, whatever the share and however few the observations, if each of them is between 0 and 1.
- *A quantile of a histogram*: interpolated inside its bucket as Prometheus' `histogram_quantile` does it. Its interval
  ends where the observed share of shorter times is as far as that from the quantile's; an observation inside a bucket
  that is cut counts by a part, so the same bound holds.
- *A difference*: from the two intervals by the method of variance estimates recovery (Newcombe 1998, method 10; Zou and
  Donner 2008); ratios are differences of logarithms. This step is not exact: tests/canary counts what it misses.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

LEAST = 1e-6
"""Of a request: Prometheus extrapolates, so that its counts are not whole; less than this is none."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """`low` ≤ `value` ≤ `high`; the ends may be infinite."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of times up to each of `bounds` (seconds, ascending; the last is infinite), shorter ones among them."""

    bounds: Sequence[float]
    cumulative: Sequence[float]

    @property
    def total(self) -> float:
        return max(self.cumulative, default=0.0)


def share(part: float, whole: float, tail: float) -> Estimate | None:
    """`part` of `whole` observations, which need not be whole numbers; None of none."""
    if whole <= 0:
        return None
    seen, far = min(1.0, part / whole), _far(whole, tail)
    return Estimate(
        seen,
        _last(lambda true: _entropy(seen, true) <= far, seen, 0.0),
        _last(lambda true: _entropy(seen, true) <= far, seen, 1.0),
    )


def quantile(times: Histogram, of: float, tail: float) -> Estimate | None:
    """In seconds; None where nothing was measured. `of` is between 0 and 1."""
    if len(times.bounds) < 2 or times.total < LEAST:
        return None
    far = _far(times.total, tail)
    low = _last(lambda seen: _entropy(seen, of) <= far, of, 0.0)
    high = _last(lambda seen: _entropy(seen, of) <= far, of, 1.0)
    unbounded = high == 1.0 or _bucket(times, high) == len(times.bounds) - 1
    return Estimate(_at(times, of), _at(times, low), math.inf if unbounded else _at(times, high))


def difference(a: Estimate, b: Estimate) -> Estimate:
    """How much larger `a` is than `b`."""
    apart = a.value - b.value
    return Estimate(
        apart,
        apart - math.hypot(a.value - a.low, b.high - b.value),
        apart + math.hypot(a.high - a.value, b.value - b.low),
    )


def ratio(a: Estimate, b: Estimate) -> Estimate:
    """How many times `a` is `b`; both are above zero."""
    apart = difference(_logarithm(a), _logarithm(b))
    return Estimate(_exponential(apart.value), _exponential(apart.low), _exponential(apart.high))


def _logarithm(of: Estimate) -> Estimate:
    return Estimate(math.log(of.value), math.log(of.low) if of.low > 0 else -math.inf, math.log(of.high))


def _exponential(of: float) -> float:
    return math.exp(of) if of < 700 else math.inf


def _far(observations: float, tail: float) -> float:
    return -math.log(tail) / observations


def _entropy(seen: float, true: float) -> float:
    """Relative entropy of two shares, in nats."""
    terms = ((seen, true), (1 - seen, 1 - true))
    return sum(p * math.log(p / q) if q > 0 else math.inf for p, q in terms if p > 0)


def _last(holds: Callable[[float], bool], start: float, end: float) -> float:
    """How far from `start`, where it holds, towards `end` it still does; by bisection."""
    if holds(end):
        return end
    for _ in range(60):
        middle = (start + end) / 2
        start, end = (middle, end) if holds(middle) else (start, middle)
    return end


def _bucket(times: Histogram, part: float) -> int:
    """The bucket in which this part of the times ends."""
    return min(bisect_left(list(accumulate(times.cumulative, max)), part * times.total), len(times.bounds) - 1)


def _at(times: Histogram, part: float) -> float:
    """The time below which this part of them lies; of the last bucket, where it begins."""
    index = _bucket(times, part)
    if index == len(times.bounds) - 1:
        return times.bounds[-2]
    counts, bounds = [0.0, *accumulate(times.cumulative, max)], [0.0, *times.bounds]
    (below, upto), (start, end) = counts[index : index + 2], bounds[index : index + 2]
    return start + (end - start) * (part * times.total - below) / (upto - below) if upto > below else start

"""Intervals: against known values, against every outcome that there is, and for whatever Prometheus may count."""

import math
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy.stats import binom

from app.canary.intervals import LEAST, Estimate, Histogram, difference, quantile, ratio, share
from app.canary.verdict import Guarantee

TAIL = Guarantee().tail(criteria=3)

counts = some.floats(0, 1e9)
tails = some.floats(1e-9, 0.3)
BOUNDS = (0.001, 0.01, 0.1, 1.0, 10.0, math.inf)
histograms = some.lists(some.floats(0, 1e6), min_size=6, max_size=6).map(
    lambda each: Histogram(BOUNDS, list(accumulate(each)))
)


def test_of_none_of_n_the_interval_ends_where_that_has_become_improbable() -> None:
    """Exactly: the share p with (1 - p)^n = tail."""
    found = share(0, 710, TAIL)
    assert found is not None
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(1 - TAIL ** (1 / 710))


def test_half_of_many_is_as_by_the_normal_approximation_of_the_bound() -> None:
    """Relative entropy near a half is 2 d², so d = sqrt(log(1 / tail) / 2n)."""
    found = share(5_000_000, 10_000_000, 0.001)
    assert found is not None
    half = math.sqrt(math.log(1000) / 2e7)
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-8)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [  # Newcombe 1998, table II: 56/70 - 48/80 and 9/10 - 3/10, method 10
        ((0.8, 0.6917, 0.8767), (0.6, 0.4904, 0.7004), (0.0524, 0.3339)),
        ((0.9, 0.5958, 0.9821), (0.3, 0.1078, 0.6032), (0.1705, 0.8090)),
    ],
)
def test_the_difference_of_two_wilson_intervals_is_newcombes(
    a: tuple[float, float, float], b: tuple[float, float, float], expected: tuple[float, float]
) -> None:
    found = difference(Estimate(*a), Estimate(*b))
    assert (found.low, found.high) == pytest.approx(expected, abs=2e-4)


def test_a_ratio_is_a_difference_of_logarithms() -> None:
    found = ratio(Estimate(2.0, 1.0, 4.0), Estimate(1.0, 0.5, 2.0))
    assert found.value == pytest.approx(2)
    assert (found.low, found.high) == pytest.approx([2 * 2 ** (sign * math.sqrt(2)) for sign in (-1, 1)])


def test_a_quantile_is_what_histogram_quantile_interpolates() -> None:
    found = quantile(Histogram([0.1, 0.2, 0.4, math.inf], [900, 980, 1000, 1000]), 0.95, TAIL)
    assert found is not None
    assert found.value == pytest.approx(0.1 + 0.1 * 50 / 80)
    assert 0.1 < found.low < found.value < found.high < 0.4


def test_of_few_times_or_such_beyond_the_last_bucket_the_upper_end_is_open() -> None:
    for bounds, cumulative in (([0.1, 1.0, math.inf], [100, 100, 100]), ([0.1, 1.0, math.inf], [800, 900, 1000])):
        found = quantile(Histogram(bounds, cumulative), 0.95, TAIL)
        assert found is not None
        assert found.high == math.inf


@pytest.mark.parametrize("sizes", [(200, 2000), (1000, 9000), (3000, 300)])
@pytest.mark.parametrize("stable", [0.0, 0.001, 0.1])
@pytest.mark.parametrize("most", [0.01, 0.05])
def test_at_the_limit_neither_mistake_is_more_frequent_than_promised(
    sizes: tuple[int, int], stable: float, most: float
) -> None:
    """Over every outcome of any weight, of a canary that is worse by exactly what is tolerated."""
    chances = [binom.pmf(np.arange(n + 1), n, p) for n, p in zip(sizes, (stable + most, stable), strict=True)]
    likely = [np.flatnonzero(chance > 1e-9) for chance in chances]
    canary, other = ([(x, share(float(x), n, TAIL)) for x in xs] for xs, n in zip(likely, sizes, strict=True))
    rolled_back = promoted = 0.0
    for x, a in canary:
        for y, b in other:
            assert a is not None
            assert b is not None
            found = difference(a, b)
            weight = chances[0][x] * chances[1][y]
            rolled_back += weight * (found.low > most)
            promoted += weight * (found.high <= most)
    assert rolled_back <= TAIL
    assert promoted <= 1.05 * TAIL


def test_the_quantiles_interval_misses_no_more_often_than_promised() -> None:
    """The true p95 of times that are even between 0 and 1 is 0.95; seen through buckets of a tenth."""
    bounds = [*(number / 10 for number in range(1, 11)), math.inf]
    draws = np.random.default_rng(7).random((1000, 400))
    missed = [0, 0]
    for times in draws:
        found = quantile(Histogram(bounds, [float((times <= bound).sum()) for bound in bounds]), 0.95, 0.01)
        assert found is not None
        missed[0] += found.low > 0.95
        missed[1] += found.high < 0.95
    assert max(missed) <= binom.ppf(0.9999, len(draws), 0.01)


@given(part=counts, whole=counts, tail=tails)
def test_a_share_lies_inside_its_interval_and_both_inside_zero_and_one(part: float, whole: float, tail: float) -> None:
    found = share(part, whole, tail)
    assert (found is None) == (whole == 0)
    if found is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1


@given(a=histograms, b=histograms, tail=tails)
def test_no_histograms_make_a_nan(a: Histogram, b: Histogram, tail: float) -> None:
    found = [quantile(it, 0.95, tail) for it in (a, b)]
    for times, it in zip((a, b), found, strict=True):
        assert (it is None) == (times.total < LEAST)
    if found[0] is not None and found[1] is not None:
        apart = ratio(found[0], found[1])
        assert 0 <= apart.low <= apart.value <= apart.high


@given(cumulative=some.lists(some.floats(0, 1e6), max_size=6))
def test_counts_that_fall_and_buckets_that_are_missing_are_borne(cumulative: list[float]) -> None:
    """Each bucket's increase is extrapolated by itself."""
    found = quantile(Histogram(BOUNDS[: len(cumulative)], cumulative), 0.95, TAIL)
    assert found is None or 0 <= found.low <= found.value <= found.high

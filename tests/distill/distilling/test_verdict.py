"""Go or no-go, from what was measured."""

from typing import Any

import pytest

from app.distill.comparison.resampling import Difference, Interval
from app.distill.distilling.plan import Limits
from app.distill.distilling.scoring import Latency
from app.distill.distilling.verdict import Criterion, criteria

CURRENT = {"opposite": (30, 40), "no_op": (40, 50)}
BETTER = Difference(Interval(0.1, 0.08, 0.12), 0.001)
ALIKE = [Latency(20, []), Latency(20, [])]


def judged(kinds: dict[str, tuple[int, int]]) -> dict[str, Any]:
    passed, total = (sum(counts) for counts in zip(*kinds.values(), strict=True))
    return {
        "test": {"scores": {"All": {"overall": 0.6}}, "validity": 1.0},
        "behaviours": {"passed": passed, "total": total, "kinds": kinds},
    }


def about_behaviours(opposite: int, no_op: int) -> dict[str, Criterion]:
    new = judged({"opposite": (opposite, 40), "no_op": (no_op, 50)})
    found = criteria(new, judged(CURRENT), BETTER, ALIKE, Limits())
    return {one.name: one for one in found if one.name.startswith("behaviours")}


def test_a_student_that_gains_in_all_but_unlearns_a_kind_of_behaviour_is_a_no_go() -> None:
    found = about_behaviours(opposite=40, no_op=29)
    assert found["behaviours"].met
    kind = found["behaviours: no op"]
    assert (kind.new, kind.current, kind.found) == (29, 40, pytest.approx(11 / 50))
    assert not kind.met


def test_a_fifth_of_a_kind_may_be_lost_if_another_gains() -> None:
    assert [one.met for one in about_behaviours(opposite=40, no_op=30).values()] == [True, True]


def test_of_all_behaviours_a_fiftieth_may_be_lost() -> None:
    assert about_behaviours(opposite=30, no_op=39)["behaviours"].met
    assert not about_behaviours(opposite=29, no_op=39)["behaviours"].met


def test_where_every_kind_gains_the_one_that_gains_least_is_named() -> None:
    assert about_behaviours(opposite=40, no_op=41)["behaviours: no op"].found < 0

"""What is said of which counts."""

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from app.canary import Guarantee, Release, Report, Tracks, judge, read_criteria
from app.canary.counts import REQUESTS
from app.canary.criteria import query
from app.canary.prometheus import Sample
from app.grade import TOOLS
from tests.helm.chart import CHART

CRITERIA = read_criteria()
SERIES = {it.name: it for it in CRITERIA}


def tracks(
    requests: tuple[float, float] = (9000, 1000),
    errors: tuple[float, float] = (9, 1),
    slow: tuple[float, float] = (90, 10),
    fallbacks: tuple[float, float] = (270, 30),
    degraded: float | None = 0,
    down: float | None = 0,
) -> Tracks:
    """Of stable and canary. All but the slow requests take less than 25 ms, the slow ones up to 50 ms."""
    found: dict[str, list[Sample]] = {REQUESTS: []}
    for index, track in enumerate(("stable", "canary")):
        labels = {"track": track}
        asked, late = requests[index], slow[index]
        found[REQUESTS].append(Sample(labels, asked))
        for name, part, whole in (("errors", errors[index], asked), ("fallbacks", fallbacks[index], 3 * asked)):
            counts = SERIES[name].counts
            found.setdefault(counts["part"], []).append(Sample(labels, part))
            if counts["whole"] != REQUESTS:
                found.setdefault(counts["whole"], []).append(Sample(labels, whole))
        times = found.setdefault(SERIES["latency"].counts["times"], [])
        for bound, count in (("0.025", asked - late), ("0.05", asked), ("0.1", asked), ("+Inf", asked)):
            times.append(Sample({**labels, "le": bound}, count))
    for name, value in (("degraded", degraded), ("engine", down)):
        found[SERIES[name].series] = [] if value is None else [Sample({}, value)]
    asked = {"stable": requests[0], "canary": requests[1]}
    return Tracks(Release("looks", "recolor-metrics"), frozenset({"m@2"}), asked, found)


def judged(of: Tracks, least: int = 200, **guarantee: Any) -> Report:
    return judge(of, CRITERIA, "10m", least, Guarantee(**guarantee))


def names(report: Report, verdict: str) -> set[str]:
    return {finding.name for finding in report.findings if finding.judged == verdict}


def test_counts_of_two_canaries_in_one_window_decide_nothing() -> None:
    report = judged(replace(tracks(errors=(0, 500)), models=frozenset({"m@2", "m@3"})))
    assert report.verdict == "wait"
    assert any("reaches back to another canary: m@2 and m@3" in reason for reason in report.reasons)


def test_a_canary_like_stable_is_promoted() -> None:
    report = judged(tracks())
    assert (report.verdict, names(report, "good")) == ("promote", set(SERIES))


@pytest.mark.parametrize(
    ("worse", "counted"),
    [
        ("errors", tracks(errors=(9, 60))),
        ("latency", tracks(slow=(300, 1000))),
        ("fallbacks", tracks(fallbacks=(270, 450))),
        ("degraded", tracks(degraded=1)),
        ("engine", tracks(down=1)),
    ],
)
def test_one_thing_that_is_worse_rolls_the_canary_back_and_is_the_reason(worse: str, counted: Tracks) -> None:
    report = judged(counted)
    assert (report.verdict, names(report, "worse")) == ("roll back", {worse})
    assert [reason.partition(":")[0] for reason in report.reasons] == [worse]


def test_worse_but_not_surely_so_waits() -> None:
    """12 of 1,000 are more than 1 point above 1 in 1,000, and might be chance."""
    report = judged(tracks(errors=(9, 12)))
    assert (report.verdict, names(report, "undecided")) == ("wait", {"errors"})
    assert "+1.10 points" in report.reasons[0]


def test_better_is_promoted() -> None:
    assert judged(tracks(errors=(900, 0), fallbacks=(2700, 0))).verdict == "promote"


def test_more_looks_need_more_certainty() -> None:
    counted = tracks(errors=(9, 25))
    assert judged(counted, looks=1).verdict == "roll back"
    assert judged(counted, looks=100).verdict == "wait"


@pytest.mark.parametrize(
    ("requests", "reason"),
    [
        ((9000, 199), "too few requests: canary was asked 199 times in 10m, 200 are wanted"),
        ((150, 1000), "too few requests: stable was asked 150 times in 10m, 200 are wanted"),
        ((9000, 0), 'no canary traffic in the window: no request in 10m has the label track="canary"'),
        ((0, 9000), 'no stable traffic in the window: no request in 10m has the label track="stable"'),
    ],
)
def test_a_small_sample_waits_however_bad_it_looks_and_is_the_reason(requests: tuple[int, int], reason: str) -> None:
    report = judged(tracks(requests, errors=(0, requests[1]), slow=(0, 0), fallbacks=(0, requests[1])))
    assert (report.verdict, report.reasons) == ("wait", [reason])


def test_a_student_that_is_gone_needs_no_sample() -> None:
    assert judged(tracks((9000, 0), (9, 0), (90, 0), (270, 0), degraded=1)).verdict == "roll back"


def test_pods_that_say_nothing_are_waited_for() -> None:
    report = judged(tracks(degraded=None, down=None))
    assert (report.verdict, names(report, "undecided")) == ("wait", {"degraded", "engine"})


def test_the_tools_of_a_request_count_as_one_observation() -> None:
    assert SERIES["fallbacks"].together == len(TOOLS)
    single = [replace(it, together=1) for it in CRITERIA]
    widths = [
        finding.high - finding.low
        for criteria in (CRITERIA, single)
        for finding in judge(tracks(), criteria, "10m", 200, Guarantee()).findings
        if finding.name == "fallbacks" and finding.high is not None and finding.low is not None
    ]
    assert widths[0] > 1.5 * widths[1]


amounts = some.floats(0, 1e7)
pairs = some.tuples(amounts, amounts)


@given(requests=pairs, errors=pairs, slow=pairs, fallbacks=pairs, degraded=some.none() | some.sampled_from([0.0, 1.0]))
def test_whatever_was_counted_there_is_a_verdict_with_reasons_and_no_nan(
    requests: tuple[float, float],
    errors: tuple[float, float],
    slow: tuple[float, float],
    fallbacks: tuple[float, float],
    degraded: float | None,
) -> None:
    report = judged(tracks(requests, errors, slow, fallbacks, degraded))
    assert report.verdict in ("promote", "wait", "roll back")
    assert report.reasons
    written = json.dumps(report.plain(), allow_nan=False)
    assert "nan" not in written.lower()


def test_queries_look_over_the_window_that_is_asked_for() -> None:
    for criterion in CRITERIA:
        for series in criterion.counts.values():
            assert "[30m]" in query(series, "30m")
            assert "[10m]" not in query(series, "30m")


def test_the_package_reads_the_charts_own_files() -> None:
    assert [(it.series, it.most) for it in CRITERIA] == [
        (it["series"], it["most"]) for it in yaml.safe_load((CHART / "files/canary.yaml").read_text(encoding="utf-8"))
    ]

"""Recording rules and alerts, by the real promtool: each alert fires on its own trouble and not on what is near it."""

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from app.telemetry import metrics
from tests.helm.chart import CHART, MONITORING, render

RULES = CHART / "files/rules.yaml"
GROUPS = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
ALERTS = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]

Series = Mapping[str, str]
"""Values of a metric, minute by minute and in promtool's notation, by its name and labels."""

RELEASE = {"namespace": "looks", "job": "recolor-metrics"}
READY = "recolor_engine_ready"
POD = {**RELEASE, "instance": "a"}


def at(name: str, **labels: str) -> str:
    """A series of the pod `a`."""
    named = ", ".join(f'{key}="{value}"' for key, value in {**POD, **labels}.items())
    return f"{name}{{{named}}}"


def requests(status: str, each_minute: int, slow: int = 0, track: str = "stable") -> Series:
    """So many requests for a look a minute, `slow` of them longer than 2.5 s."""
    named = {"route": "/recolor", "status": status, "track": track}
    fast = each_minute - slow
    return {
        at("recolor_request_duration_seconds_count", **named): f"0+{each_minute}x400",
        at("recolor_request_duration_seconds_bucket", le="0.1", **named): f"0+{fast}x400",
        at("recolor_request_duration_seconds_bucket", le="2.5", **named): f"0+{fast}x400",
        at("recolor_request_duration_seconds_bucket", le="5.0", **named): f"0+{each_minute}x400",
        at("recolor_request_duration_seconds_bucket", le="+Inf", **named): f"0+{each_minute}x400",
    }


def tools(student: int, failed: int, track: str = "stable") -> Series:
    """So many tools a minute that the student answered, and that nobody did."""
    return {
        at("recolor_tool_results_total", source="student", track=track): f"0+{student}x400",
        at("recolor_tool_results_total", source="failed", track=track): f"0+{failed}x400",
        at("recolor_tool_results_total", source="cache", track=track): "0+1000x400",
        at("recolor_fallbacks_total", reason="schema", track=track): f"0+{failed}x400",
    }


def teacher(**outcomes: int) -> Series:
    """So many calls a minute, by outcome."""
    return {at("recolor_teacher_requests_total", outcome=name): f"0+{each}x400" for name, each in outcomes.items()}


@dataclass(frozen=True)
class Case:
    """An alert, what makes it fire, what is near that and must not; judged after so many `minutes`."""

    alert: str
    trouble: Series
    near: Series
    minutes: int
    summary: str
    labels: Mapping[str, str] = field(default_factory=lambda: RELEASE)


def gauge(name: str, *values: str) -> tuple[Series, Series]:
    """The trouble, and what is near it."""
    trouble, near = values
    return {at(name): trouble}, {at(name): near}


CASES = [
    Case(
        "RecolorErrorsBurning",
        {**requests("200", 80), **requests("503", 20)},
        {**requests("200", 93), **requests("503", 7), **requests("429", 50)},
        70,
        "20% of the looks asked for in the last hour were not answered",
    ),
    Case(
        "RecolorErrors",
        {**requests("200", 97), **requests("500", 3)},
        {**requests("200", 990), **requests("500", 10)},
        370,
        "3% of the looks asked for in the last six hours were not answered",
    ),
    Case(
        "RecolorSlowBurning",
        requests("200", 100, slow=40),
        requests("200", 100, slow=25),
        70,
        "40% of the looks of the last hour took longer than 2.5 s",
    ),
    Case(
        "RecolorSlow",
        requests("200", 100, slow=12),
        requests("200", 100, slow=5),
        370,
        "12% of the looks of the last six hours took longer than 2.5 s",
    ),
    Case(
        "RecolorMissing",
        {at("recolor_build_info"): "1 1 _x30"},
        {at("recolor_build_info"): "1x30"},
        15,
        "Prometheus sees no Recolor at all",
        {},
    ),
    Case(
        "RecolorNobodyAnswers",
        {
            at("recolor_build_info", model="m@1"): "1x30",
            at("recolor_engine_ready", model="m@1"): "1 0x30",
            at("recolor_engine_ready", model="rival@1"): "1x30",
            at("recolor_degraded"): "0x30",
        },
        {
            at("recolor_build_info", model="m@1"): "1x30",
            at("recolor_engine_ready", model="m@1"): "1 0x30",
            at("recolor_degraded"): "0 1x30",
        },
        10,
        "Neither a student nor the teacher can answer",
    ),
    Case(
        "RecolorEngineNotReady",
        {at("recolor_engine_ready", model="m@1"): "1 0x30"},
        {at("recolor_engine_ready", model="m@1"): "1 0x5 1x30"},
        13,
        "m@1 on a has not been ready for ten minutes",
        {**POD, "model": "m@1"},
    ),
    Case(
        "RecolorDegraded",
        *gauge("recolor_degraded", "0 1x30", "0 1x3 0x30"),
        7,
        "On a only the teacher answers",
        POD,
    ),
    Case(
        "RecolorQueueGrowing",
        *gauge("recolor_queue_depth", "0+10x60", "200x60"),
        30,
        "300 prompts wait on a, and more come than are answered",
        POD,
    ),
    Case(
        "RecolorRefusing",
        {at("recolor_rejected_total", reason="queue"): "0+60x30"},
        {at("recolor_rejected_total", reason="rate"): "0+60x30", at("recolor_rejected_total", reason="queue"): "3x30"},
        15,
        "1 requests a second are refused because the queue is full",
    ),
    Case(
        "RecolorFallbacks",
        tools(student=75, failed=25),
        tools(student=95, failed=5),
        30,
        "The student could not answer 25% of the tools",
    ),
    Case(
        "RecolorTeacherDown",
        *gauge("recolor_teacher_breaker_open", "0 1x30", "0 1x2 0x30"),
        8,
        "a has stopped calling the teacher",
        POD,
    ),
    Case(
        "RecolorTeacherFailing",
        teacher(ok=2, timeout=6, cancelled=50),
        teacher(ok=5, timeout=2, unreadable=1, cancelled=50),
        30,
        "75% of the calls to the teacher fail",
    ),
    Case(
        "RecolorEventsSpooling",
        *gauge("recolor_events_spooled", "0 500x30", "0 500x5 0x30"),
        15,
        "500 events or more have waited on a for ten minutes",
        POD,
    ),
    Case(
        "RecolorEventsLost",
        {at("recolor_rejected_total", reason="events_dropped"): "0+1x30"},
        {at("recolor_rejected_total", reason="events_dropped"): "5x30"},
        15,
        "About 10 events were lost or refused in ten minutes",
    ),
    Case("RecolorCacheDown", *gauge("recolor_cache_up", "1 0x30", "1 0 1x30"), 5, "a cannot reach the cache", POD),
    Case(
        "RecolorCanaryWorse errors",
        {
            **requests("200", 900),
            **requests("200", 95, track="canary"),
            **requests("503", 5, track="canary"),
        },
        {
            **requests("200", 890),
            **requests("503", 10),
            **requests("200", 98, track="canary"),
            **requests("503", 2, track="canary"),
        },
        30,
        "The canary fails 5% more of its requests than stable",
    ),
    Case(
        "RecolorCanaryWorse latency",
        {**requests("200", 900), **requests("200", 100, slow=20, track="canary")},
        {**requests("200", 900), **requests("200", 10, slow=2, track="canary")},  # 100 requests are no sample
        30,
        "The canary's p95 is 46.05 times stable's",
    ),
    Case(
        "RecolorCanaryWorse fallbacks",
        {
            **requests("200", 900),
            **requests("200", 100, track="canary"),
            **tools(270, 0),
            **tools(90, 10, track="canary"),
        },
        {
            **requests("200", 900),
            **requests("200", 100, track="canary"),
            **tools(261, 9),
            **tools(96, 4, track="canary"),
        },
        30,
        "The canary cannot answer 10% more of its tools than stable",
    ),
    Case(
        "RecolorCanaryWorse degraded",
        {at("recolor_degraded", track="canary"): "0 1x30", at(READY, model="m@1", track="canary"): "1 _x30"},
        {
            at("recolor_degraded", track="stable"): "0 1x30",
            at(READY, model="m@1", track="stable"): "1 0x30",
            at("recolor_degraded", track="canary"): "1x30",  # still loading
            at(READY, model="m@1", track="canary"): "0x30",
        },
        10,
        "A pod of the canary is without its student",
    ),
    Case(
        "RecolorCanaryWorse engine",
        {at("recolor_engine_ready", model="m@1", track="canary"): "0x3 1x5 0x30"},
        {at("recolor_engine_ready", model="m@1", track="canary"): "0x30"},  # still loading
        17,
        "A student of the canary has died",
    ),
]


def unit_tests(case: Case) -> list[dict[str, Any]]:
    """Two of promtool's tests: in trouble, and near it."""
    alert, _, judged_by = case.alert.partition(" ")
    (rule,) = [it for it in ALERTS if it["alert"] == alert and it["labels"].get("judged_by", "") == judged_by]
    fired = {
        "exp_labels": {**rule["labels"], **case.labels},
        "exp_annotations": {"summary": case.summary, "runbook": rule["annotations"]["runbook"]},
    }
    tests = []
    for series, expected in ((case.trouble, [fired]), (case.near, [])):
        asked = {"eval_time": f"{case.minutes}m", "alertname": alert, "exp_alerts": expected}
        values = [{"series": name, "values": each} for name, each in series.items()]
        tests.append({"interval": "1m", "input_series": values, "alert_rule_test": [asked]})
    return tests


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_fires_on_its_trouble_and_not_near_it(
    case: Case, program: Callable[[str], str], tmp_path: Path
) -> None:
    often = "1m" if case.minutes < 60 else "10m"  # hours of rules take their time
    written = {"rule_files": [str(RULES)], "evaluation_interval": often, "tests": unit_tests(case)}
    promtool(program("promtool"), tmp_path, written)


def test_one_scrape_without_its_student_is_nothing_against_a_canary(
    program: Callable[[str], str], tmp_path: Path
) -> None:
    labels = {"model": "m@1", "track": "canary"}
    release = '{namespace="looks", job="recolor-metrics"}'
    values = [
        {"series": at(READY, **labels), "values": "1 1 0 1 0 0 0 0"},
        {"series": at("recolor_degraded", track="canary"), "values": "0 0 1 0 1 1 1 1"},
    ]
    asked = [
        {"expr": series, "eval_time": f"{minute}m", "exp_samples": [{"labels": series + release, "value": value}]}
        for series in ("recolor:canary_degraded:max", "recolor:canary_engine_down:max")
        for minute, value in {1: 0, 2: 0, 3: 0, 4: 0, 7: 1}.items()
    ]
    tests = [{"interval": "1m", "input_series": values, "promql_expr_test": asked}]
    promtool(program("promtool"), tmp_path, {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests})


def promtool(binary: str, folder: Path, written: dict[str, Any]) -> None:
    suite = folder / "tests.yaml"
    suite.write_text(yaml.safe_dump(written), encoding="utf-8")
    ran = subprocess.run([binary, "test", "rules", suite], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_alert_is_tested() -> None:
    assert {case.alert for case in CASES} == {
        " ".join(filter(None, (rule["alert"], rule["labels"].get("judged_by")))) for rule in ALERTS
    }


_SUFFIXES: dict[type, list[str]] = {Counter: ["_total"], Gauge: [""], Histogram: ["_bucket", "_count", "_sum"]}


def test_every_metric_that_a_rule_names_is_one_of_the_service() -> None:
    known = set()
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            name = metric.describe()[0].name
            suffixes = _SUFFIXES[type(metric)]
            known |= {name + suffix for suffix in suffixes}
    recorded = {rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule}
    named = set()
    for group in GROUPS:
        for rule in group["rules"]:
            named |= set(re.findall(r"\b(?:\w+:)?recolor[\w:]*", re.sub(r'"[^"]*"', "", rule["expr"])))
    assert named - known == {name for name in named if ":" in name} <= recorded
    assert len(named & known) > 10


def test_every_alert_has_a_severity_and_a_section_in_the_runbook() -> None:
    text = (CHART / "RUNBOOK.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    assert len(sections) == len(set(sections))
    assert set(sections) == {rule["alert"] for rule in ALERTS}
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["runbook"] == f"RUNBOOK.md#{rule['alert'].lower()}"


def test_the_alerts_on_a_canary_go_by_the_same_limits_as_its_analysis() -> None:
    judged = yaml.safe_load((CHART / "files/canary.yaml").read_text(encoding="utf-8"))
    limits = {it["name"]: f"{it['series']} > {it['most']}" for it in judged}
    alerts = {rule["labels"]["judged_by"]: rule["expr"] for rule in ALERTS if "judged_by" in rule["labels"]}
    assert alerts == limits


def test_the_chart_installs_the_same_rules() -> None:
    assert render(MONITORING).one("PrometheusRule")["spec"]["groups"] == GROUPS

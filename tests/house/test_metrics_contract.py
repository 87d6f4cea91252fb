"""Dashboards and alerts are built on these names: a change here breaks them."""

import pkgutil
from importlib import import_module

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

import app
from app.telemetry import metrics

HISTOGRAMS = {
    "recolor_request_duration_seconds": ("route", "status", "variant", "model"),
    "recolor_stage_duration_seconds": ("stage", "model"),
    "recolor_batch_size": (),
}
COUNTERS = {
    "recolor_tool_results_total": ("tool", "source", "variant", "model"),
    "recolor_fallbacks_total": ("tool", "reason", "model"),
    "recolor_generated_tokens_total": ("model",),
    "recolor_rejected_total": ("reason",),
    "recolor_teacher_requests_total": ("outcome",),
    "recolor_teacher_tokens_total": ("kind",),
    "recolor_teacher_cost_dollars_total": (),
    "recolor_projects_started_total": ("variant",),
    "recolor_projects_exported_total": ("variant",),
}
GAUGES = {
    "recolor_queue_depth": (),
    "recolor_inflight_requests": (),
    "recolor_engine_ready": ("model",),
    "recolor_degraded": (),
    "recolor_cache_up": (),
    "recolor_events_spooled": (),
    "recolor_teacher_breaker_open": (),
    "recolor_build_info": ("version", "model"),
}


def declared(kind: type[Histogram] | type[Counter] | type[Gauge]) -> dict[str, tuple[str, ...]]:
    """The metrics of one kind by the name that is scraped, with their labels."""
    suffix = "_total" if kind is Counter else ""
    return {
        metric.describe()[0].name + suffix: metric._labelnames
        for metric in vars(metrics).values()
        if isinstance(metric, kind)
    }


def test_every_metric_has_its_name_its_kind_and_its_labels() -> None:
    assert declared(Histogram) == HISTOGRAMS
    assert declared(Counter) == COUNTERS
    assert declared(Gauge) == GAUGES


def test_no_metric_is_declared_anywhere_else() -> None:
    for module in pkgutil.walk_packages(app.__path__, "app."):
        import_module(module.name)
    scraped = {family.name for family in REGISTRY.collect() if family.name.startswith("recolor")}
    assert scraped == {name.removesuffix("_total") for name in (*HISTOGRAMS, *COUNTERS, *GAUGES)}


def test_durations_are_measured_from_one_millisecond_to_ten_seconds() -> None:
    for histogram in (metrics.REQUEST_DURATION, metrics.STAGE_DURATION):
        # A copy without labels, so that no sample of the service is made up.
        copy = Histogram("copy", "", buckets=histogram._kwargs["buckets"], registry=CollectorRegistry())
        bounds = [float(sample.labels["le"]) for sample in copy.collect()[0].samples if "le" in sample.labels]
        assert (bounds[0], bounds[-2]) == (0.001, 10.0)

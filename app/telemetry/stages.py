"""The stages of a request: each is named once, and its time goes to the histogram and, under traces, into a span."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from app.telemetry import traces
from app.telemetry.metrics import STAGE_DURATION
from app.telemetry.traces import NOTHING, Facts, Span


@contextmanager
def stage(name: str, model: str, facts: Facts = NOTHING) -> Iterator[Span]:
    """Measures the block. One that an error leaves is in the trace only."""
    began = perf_counter()
    with traces.span(name, {"recolor.model": model, **facts}) as span:
        yield span
    STAGE_DURATION.labels(name, model).observe(perf_counter() - began)


def stage_took(name: str, model: str, seconds: float, ago: float = 0.0) -> None:
    """What was measured elsewhere: it took so many seconds and ended so many ago."""
    STAGE_DURATION.labels(name, model).observe(seconds)
    traces.past(name, seconds, ago, {"recolor.model": model})

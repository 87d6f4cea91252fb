"""Traces by OpenTelemetry: spans collected in memory and sent in batches, by a thread of its own.

A collector that is dead, slow or refuses costs spans and nothing else: what does not fit into the queue is dropped.
The standard's variables hold where no setting says otherwise (``OTEL_EXPORTER_OTLP_HEADERS``, ``OTEL_BSP_…``,
``OTEL_RESOURCE_ATTRIBUTES``).
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Thread
from time import time_ns
from typing import Any
from urllib.parse import urlsplit

import requests
import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.telemetry.logs import log_failure, where
from app.telemetry.traces import NOTHING, Facts

log = structlog.get_logger(__name__)

PATH = "/v1/traces"

EXPORT_SECONDS = 5.0
"""Time in which the collector must have taken a batch, further tries included."""

CLOSE_SECONDS = 1.5
"""What it gets to take the last ones."""

_PROPAGATOR = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans and sends them. OpenTelemetry's global provider, which libraries would use, stays unset."""

    def __init__(self, endpoint: str, sample: float, resource: Mapping[str, str]) -> None:
        # It would report every batch that fails, and every span that is dropped.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._provider = TracerProvider(
            ParentBasedTraceIdRatio(sample), Resource.create({**resource}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(_Exporter(endpoint)))
        self._tracer = self._provider.get_tracer("recolor")

    @contextmanager
    def request(self, name: str, facts: Facts, traceparent: str) -> Iterator["RecordedSpan"]:
        # Not its `tracestate`, which is free text from outside.
        caller = _PROPAGATOR.extract({"traceparent": traceparent})
        with self._open(name, facts, kind=SpanKind.SERVER, context=caller) as opened:
            yield opened

    @contextmanager
    def span(self, name: str, facts: Facts, links: Sequence[SpanContext]) -> Iterator["RecordedSpan"]:
        with self._open(name, facts, links=[Link(to) for to in links if to is not None]) as opened:
            try:
                yield opened
            except BaseException as error:
                opened.fail(type(error).__name__, error)
                raise

    def past(self, name: str, seconds: float, ago: float, facts: Facts) -> None:
        end = time_ns() - round(ago * 1e9)
        start = end - round(seconds * 1e9)
        self._tracer.start_span(name, attributes=facts, start_time=start).end(end)

    def here(self) -> SpanContext:
        return trace.get_current_span().get_span_context()

    def trace_id(self) -> str:
        return RecordedSpan(trace.get_current_span()).trace_id

    def headers(self) -> dict[str, str]:
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return carrier

    def close(self) -> None:
        """Send what is left, if the collector takes it at once."""
        closing = Thread(target=self._provider.shutdown, name="traces-closing", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)

    @contextmanager
    def _open(
        self,
        name: str,
        facts: Facts = NOTHING,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        context: Context | None = None,
        links: Sequence[Link] = (),
    ) -> Iterator["RecordedSpan"]:
        with self._tracer.start_as_current_span(
            name,
            context,
            kind,
            facts,
            links,
            # Both would quote the exception's message.
            record_exception=False,
            set_status_on_exception=False,
        ) as opened:
            yield RecordedSpan(opened)


class RecordedSpan:
    """A `Span` that is kept."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def trace_id(self) -> str:
        context = self._span.get_span_context()
        return trace.format_trace_id(context.trace_id) if context.is_valid else ""

    def note(self, facts: Facts) -> None:
        self._span.set_attributes(facts)

    def fail(self, kind: str, error: BaseException | None = None) -> None:
        self._span.set_status(StatusCode.ERROR)
        self._span.set_attribute("error.type", kind)
        if error is not None:
            frames = "\n".join(where(error))
            self._span.add_event("exception", {"exception.type": type(error).__name__, "exception.stacktrace": frames})


class _Exporter(SpanExporter):
    """The library's, with one line in the log when the collector fails and one when it is back."""

    def __init__(self, endpoint: str) -> None:
        self._session = _Session()
        url = endpoint.rstrip("/").removesuffix(PATH) + PATH
        # Without a name or a password that the address may have.
        self._collector = urlsplit(url).netloc.rpartition("@")[2]
        self._exporter = OTLPSpanExporter(url, timeout=EXPORT_SECONDS, session=self._session)
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread that exports must live
            log_failure(log, "a batch of traces is lost", error)
            return SpanExportResult.FAILURE
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self._failing:
            log.warning(
                "traces are lost: the collector does not take them",
                collector=self._collector,
                reason=self._session.problem,
            )
        elif self._failing and not failed:
            log.info("the collector takes traces again", collector=self._collector)
        self._failing = failed
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


class _Session(requests.Session):
    """Remembers what was wrong with the last call; the exporter does not tell."""

    problem = ""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        try:
            response = super().send(request, **options)
        except requests.RequestException as error:
            self.problem = type(error).__name__
            raise
        self.problem = f"HTTP {response.status_code}"
        return response

"""A collector of traces: a real HTTP server that takes OTLP and keeps the spans.

with Collector() as collector:
    ...  # a service with RECOLOR_TRACES_ENDPOINT=collector.url, which ends
    assert [span.name for span in collector.spans] == ["cache", "POST /recolor"]
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


@dataclass(frozen=True)
class Kept:
    """A span as it came. Ids are hexadecimal, times in nanoseconds since 1970; `events` are (name, facts)."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    start: int
    end: int
    facts: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    links: list[str]
    failed: bool
    status_message: str
    resource: dict[str, Any]


class Collector:
    """Runs between ``__enter__`` and ``__exit__``.

    Args:
        hangs: it takes what is sent and never answers.

    Attributes:
        status: what it answers every batch with.
        spans: everything that came, in order.
        asked: the paths and the headers of the calls, their names in small letters.
    """

    def __init__(self, hangs: bool = False) -> None:
        self.status = 200
        self.spans: list[Kept] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._ended = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                if hangs:
                    collector._ended.wait()
                if collector.status == 200:
                    collector.spans += kept(body)
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on standard error."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()


def kept(body: bytes) -> list[Kept]:
    """The spans of one batch."""
    batch = ExportTraceServiceRequest.FromString(body)
    return [
        Kept(
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            kind=span.kind,
            start=span.start_time_unix_nano,
            end=span.end_time_unix_nano,
            facts=_facts(span.attributes),
            events=[(event.name, _facts(event.attributes)) for event in span.events],
            links=[link.trace_id.hex() for link in span.links],
            failed=span.status.code == 2,
            status_message=span.status.message,
            resource=_facts(of_resource.resource.attributes),
        )
        for of_resource in batch.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def _facts(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    return {it.key: getattr(it.value, str(it.value.WhichOneof("value"))) for it in attributes}

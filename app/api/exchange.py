"""One request and its answer: what the response headers, the metrics and the log line are made of."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from starlette.types import Scope

from app.telemetry.stages import stage_took
from app.telemetry.traces import NO_SPAN, Span

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_KEY = "recolor.exchange"


@dataclass(slots=True)
class Exchange:
    """Made when a request arrives; a route adds what it knows.

    Attributes:
        request_id: the caller's, where it is sane, or a new one.
        route: the route's path, or ``other``.
        model: who answers first, or the student of the service where nobody was asked.
        variant: the experiment's variant that was asked; empty where none was.
        status: of the response; 0 until it starts.
        timings_ms: stages for the Server-Timing header.
        facts: more for the log line; never the intent.
        span: of the request, where it is traced.
    """

    request_id: str
    route: str
    model: str
    variant: str = ""
    status: int = 0
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    span: Span = NO_SPAN
    started: float = field(default_factory=perf_counter)

    @property
    def seconds(self) -> float:
        """Since the request arrived."""
        return perf_counter() - self.started

    def add_stage(self, stage: str, seconds: float) -> None:
        """A stage that the route itself went through, and that has just ended."""
        self.timings_ms = {**self.timings_ms, stage: seconds * 1000}
        stage_took(stage, self.model, seconds)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The response headers that every answer has, errors included."""
        stages = {"total": self.seconds * 1000} | {k: ms for k, ms in self.timings_ms.items() if k != "total"}
        timing = ", ".join(f"{stage};dur={ms:.1f}" for stage, ms in stages.items())
        return [(b"x-request-id", self.request_id.encode()), (b"server-timing", timing.encode())]

    @classmethod
    def of(cls, scope: Scope) -> "Exchange":
        """The exchange that `begin` put into this scope."""
        exchange: Exchange = scope[_KEY]
        return exchange

    @classmethod
    def begin(cls, scope: Scope, route: str, model: str) -> "Exchange":
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given.decode() if _SANE_ID.fullmatch(given) else uuid.uuid4().hex
        scope[_KEY] = exchange = cls(request_id, route, model)
        return exchange

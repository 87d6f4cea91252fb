"""The span of a request: what it says of the request and its answer, and of whom it says nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Scope

from app.api.exchange import Exchange
from app.telemetry import traces

UNTRACED = frozenset({"/healthz", "/readyz", "/metrics", "other"})
"""Probes and scrapes, and what has no route."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@contextmanager
def traced(exchange: Exchange, scope: Scope) -> Iterator[None]:
    """Keep the block in a span, if traces are on and the route is one of those that are traced."""
    if not traces.on() or exchange.route in UNTRACED:
        yield
        return
    method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
    facts = {
        "http.request.method": method,
        "http.route": exchange.route,
        "recolor.request_id": exchange.request_id,
    }
    with traces.request(f"{method} {exchange.route}", facts, _traceparent(scope)) as exchange.span:
        try:
            yield
        finally:
            _tell(exchange)


def _traceparent(scope: Scope) -> str:
    given = [value for name, value in scope["headers"] if name == b"traceparent"]
    return given[0].decode("latin-1") if len(given) == 1 else ""


def _tell(exchange: Exchange) -> None:
    """What is known at the end."""
    facts: dict[str, str | int | bool] = {"recolor.model": exchange.model}
    if exchange.status:
        facts["http.response.status_code"] = exchange.status
    if exchange.variant:
        facts["recolor.variant"] = exchange.variant
    if "cached" in exchange.facts:
        facts["recolor.cached"] = exchange.facts["cached"]
    if exchange.facts.get("failed"):
        facts["recolor.failed"] = ", ".join(f"{tool}: {why}" for tool, why in exchange.facts["failed"].items())
    exchange.span.note(facts)
    if exchange.status >= 500 and "error" in exchange.facts:
        exchange.span.fail(exchange.facts["error"])

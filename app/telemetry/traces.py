"""Traces: where the time of one request went, as spans of OpenTelemetry, over all services that it passed.

Off until `configure`. What is off imports nothing, and a span is an empty `with`. No span holds an intent, a key, a
project or a user.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # the libraries of the extra `traces`
    from app.telemetry.otlp import Tracing

Facts = Mapping[str, str | int | float | bool]
"""What a span is marked with, by names such as ``http.route``; our own begin with ``recolor.``."""

NOTHING: Facts = {}

_tracing: "Tracing | None" = None


class Span(Protocol):
    """A piece of a request's time."""

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits; empty while traces are off."""
        ...

    def note(self, facts: Facts) -> None: ...

    def fail(self, kind: str, error: BaseException | None = None) -> None:
        """Mark it as failed. Of the error it tells type and place, not the message, which may quote an intent."""
        ...


class _NoSpan:
    trace_id = ""

    def note(self, facts: Facts) -> None: ...

    def fail(self, kind: str, error: BaseException | None = None) -> None: ...


NO_SPAN: Span = _NoSpan()
_OFF = nullcontext(NO_SPAN)


def configure(endpoint: str, sample: float, resource: Mapping[str, str]) -> None:
    """Trace from here on. Raises ValueError where the libraries for that are missing.

    Args:
        endpoint: of a collector that takes OTLP over HTTP; traces go to ``/v1/traces`` below it.
        sample: the part of the requests that is traced, 0..1; one that comes with a trace does as that trace does.
        resource: what is true of all spans.
    """
    global _tracing
    try:
        from app.telemetry.otlp import Tracing
    except ImportError as error:
        raise ValueError(f"traces need OpenTelemetry ({error}): pip install 'recolor[traces]'") from None
    _tracing = Tracing(endpoint, sample, resource)


def shutdown() -> None:
    """Send what is left, for a moment, and trace no more."""
    global _tracing
    if _tracing is not None:
        tracing, _tracing = _tracing, None
        tracing.close()


def on() -> bool:
    return _tracing is not None


def request(name: str, facts: Facts, traceparent: str) -> AbstractContextManager[Span]:
    """The span of a request that has come in, under the caller's, if `traceparent` is the header that names one."""
    return _OFF if _tracing is None else _tracing.request(name, facts, traceparent)


def span(name: str, facts: Facts = NOTHING, links: Sequence[Any] = ()) -> AbstractContextManager[Span]:
    """A part of what the caller does, under the span in which it is opened. An error that leaves it marks it as failed.

    `links`: what `here` gave elsewhere, for work that is done there.
    """
    return _OFF if _tracing is None else _tracing.span(name, facts, links)


def past(name: str, seconds: float, ago: float = 0.0, facts: Facts = NOTHING) -> None:
    """A span that took so many seconds and ended so many ago."""
    if _tracing is not None:
        _tracing.past(name, seconds, ago, facts)


def here() -> Any:
    """The span in which this is called, to be linked to; None while traces are off."""
    return None if _tracing is None else _tracing.here()


def trace_id() -> str:
    """Of the request in which this is called; empty outside of one, and while traces are off."""
    return "" if _tracing is None else _tracing.trace_id()


def headers() -> dict[str, str]:
    """What a call to another service is sent with, so that its spans come under this one."""
    return {} if _tracing is None else _tracing.headers()

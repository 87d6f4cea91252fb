"""The outermost layer: request id, timing, metrics, the log line, and the one place where errors become answers."""

from collections.abc import Collection

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import ApiError, Internal, error_response
from app.api.exchange import Exchange
from app.api.tracing import traced
from app.serving.variant import CONTROL
from app.telemetry.logs import log_failure
from app.telemetry.metrics import REQUEST_DURATION

log = structlog.get_logger(__name__)

CLIENT_CLOSED_REQUEST = 499
"""What metrics and logs call an answer that nobody waited for; it is never sent."""


EXPECTED = ("200", "500", "503")
"""Answers that are there as series before the first: Prometheus takes a new series' first value for its beginning."""


class Observe:
    """Pure ASGI middleware. `routes` are the paths that may be a label; every other path counts as ``other``."""

    def __init__(self, app: ASGIApp, routes: Collection[str], model: str) -> None:
        self._app, self._routes, self._model = app, routes, model
        for status in EXPECTED:
            REQUEST_DURATION.labels("/recolor", status, CONTROL, model)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = scope["path"] if scope["path"] in self._routes else "other"
        exchange = Exchange.begin(scope, route, self._model)

        async def send_observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *exchange.headers()]
            await send(message)

        with traced(exchange, scope):
            try:
                await self._answer(exchange, scope, receive, send_observed)
            finally:
                _record(exchange, scope["method"])

    async def _answer(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            exchange.status = CLIENT_CLOSED_REQUEST
        except ApiError as error:
            exchange.facts["error"] = error.code
            await error_response(error, exchange.request_id, exchange.span.trace_id)(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the last line of defence: no caller ever sees internals
            log_failure(log, "unexpected error", error, request_id=exchange.request_id)
            exchange.span.fail(type(error).__name__, error)
            if not exchange.status:
                await error_response(Internal(), exchange.request_id, exchange.span.trace_id)(scope, receive, send)


def _record(exchange: Exchange, method: str) -> None:
    seconds = exchange.seconds
    # A request that was cut off by the end of the process has no status.
    status = exchange.status or CLIENT_CLOSED_REQUEST
    REQUEST_DURATION.labels(exchange.route, str(status), exchange.variant, exchange.model).observe(seconds)
    log.info(
        "request",
        request_id=exchange.request_id,
        route=exchange.route,
        method=method,
        status=status,
        duration_ms=round(seconds * 1000, 2),
        model=exchange.model,
        **exchange.facts,
    )

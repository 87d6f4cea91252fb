"""HTTP below ASGI: what uvicorn answers by itself, in the service's own shape and within limits."""

import asyncio
import re
import uuid

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.api.errors import error_body
from app.telemetry.metrics import REJECTED

LONGEST_HEAD = 65_536
"""Bytes of request line and headers. The parser below has no limit and would keep them all in memory."""

HEAD_SECONDS = 30.0
"""In which a new connection, or a request that has begun, must have sent its whole head."""

_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class JsonProtocol(HttpToolsProtocol):
    """Refuses endless and endlessly slow heads, answers as JSON what is no HTTP, declines offers of other protocols."""

    _head = 0
    _in_head = False
    _between_requests = True
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._between_requests:
            self._expect_head()
            data = _declined(data)
        super().data_received(data)
        self._head = self._head + len(data) if self._in_head else 0
        if self._head > LONGEST_HEAD and not self.transport.is_closing():
            REJECTED.labels("too_large").inc()
            self._refuse(431, "too_large", f"The request's head is larger than {LONGEST_HEAD} bytes.")

    def on_message_begin(self) -> None:
        self._in_head, self._between_requests = True, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._have_head()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._between_requests = True
        super().on_message_complete()

    def _expect_head(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _have_head(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "malformed", msg)

    def _refuse(self, status: int, code: str, message: str) -> None:
        request_id = uuid.uuid4().hex
        body = error_body(code, message, request_id)
        head = (
            f"x-request-id: {request_id}\r\nserver-timing: total;dur=0\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.close()


def _declined(data: bytes) -> bytes:
    """The start of a request, with the offer of another protocol renamed to a header without a meaning.

    Java's HTTP client and ``curl --http2`` offer HTTP/2 with every request. A server may ignore that, but the parser
    below takes the offer for accepted and loses the body.
    """
    if _UPGRADE.search(data) is None:
        return data
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nx-upgrade:", head) + end + rest

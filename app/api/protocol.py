"""HTTP below ASGI: what uvicorn answers by itself, in the service's own shape and within limits."""

import re
import uuid

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.api.errors import error_body
from app.telemetry.metrics import REJECTED

LONGEST_HEAD = 65_536
"""Bytes of request line and headers. The parser below has no limit and would keep them all in memory."""

_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class JsonProtocol(HttpToolsProtocol):
    """Refuses endless heads, answers what is not HTTP as JSON, and declines offers of another protocol."""

    _head = 0
    _in_head = False
    _between_requests = True

    def data_received(self, data: bytes) -> None:
        if self._between_requests:
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
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._between_requests = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "malformed", msg)

    def _refuse(self, status: int, code: str, message: str) -> None:
        request_id = uuid.uuid4().hex
        body = error_body(code, message, request_id)
        head = (
            f"x-request-id: {request_id}\r\ncontent-type: application/json\r\n"
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

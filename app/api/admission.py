"""Who may come in: keys and the rate limit, before a byte of the body is read."""

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.errors import TooManyRequests, Unauthorized
from app.api.keys import Keys
from app.api.rate import RateLimit
from app.telemetry.metrics import REJECTED

OPEN = frozenset({"/healthz", "/readyz", "/"})
"""Need no key: probes have none, and the page, which holds no data, asks for one itself."""

PAGE = "/page/"
"""Where the page's files lie, open as the page is."""

UNCOUNTED = OPEN | {"/metrics"}
"""Are not held to the rate limit, nor counted towards it; nor are the page's files."""


class Admission:
    """Pure ASGI middleware. Raises Unauthorized, TooManyRequests."""

    def __init__(self, app: ASGIApp, keys: Keys, rate: RateLimit) -> None:
        self._app, self._keys, self._rate = app, keys, rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._admit(scope)
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        path = scope["path"]
        caller = _address(scope)
        part_of_page = path.startswith(PAGE)
        if self._keys and path not in OPEN and not part_of_page:
            holder = self._keys.holder(_authorization(scope))
            if holder is None:
                REJECTED.labels("unauthorized").inc()
                raise Unauthorized
            caller = holder
        if path not in UNCOUNTED and not part_of_page and (seconds := await self._rate.wait(caller)):
            REJECTED.labels("rate").inc()
            raise TooManyRequests(f"Too many requests; the next is let in after {seconds} s.", seconds)


def _authorization(scope: Scope) -> bytes:
    return next((value for name, value in scope["headers"] if name == b"authorization"), b"")


def _address(scope: Scope) -> str:
    """The other end of the connection; a local socket has no address."""
    return scope["client"][0] if scope["client"] else "local"

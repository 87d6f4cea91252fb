"""A caller who has gone away: the work for them is cancelled."""

import asyncio
from types import TracebackType
from typing import Self

from starlette.requests import ClientDisconnect
from starlette.types import Receive

PATIENCE_SECONDS = 0.05
"""Work that takes less is not watched: most answers are done before the watch would begin, and pay a timer only."""


class CancelOnDisconnect:
    """``with CancelOnDisconnect(receive): …`` cancels the block when the client disconnects.

    The block then raises ClientDisconnect. The request's body must have been read.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._watch: asyncio.Task[None] | None = None
        self._gone = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None, "an ASGI application runs in a task"  # noqa: S101
        self._task = task
        self._timer = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
        # Only the cancellation that was asked for here ends here; somebody else's goes on.
        if self._gone and kind is asyncio.CancelledError and self._task.uncancel() == 0:
            raise ClientDisconnect from error

    def _begin(self) -> None:
        self._watch = asyncio.create_task(self._cancel_when_gone())

    async def _cancel_when_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._task.cancel()

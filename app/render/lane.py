"""A lane beside the event loop: a thread for work that takes milliseconds, such as a LUT."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class LaneFull(RuntimeError):  # noqa: N818 - said as a caller says it
    """Too much work waits already."""


class Lane:
    """Does one piece of work after another, in the order in which they come.

    Args:
        length: the most pieces that may be under way, the one that is being done included.
    """

    def __init__(self, length: int = 32) -> None:
        self._length, self._under_way = length, 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lane")

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns or raises; what is cancelled before its turn is not done. Raises LaneFull."""
        if self._under_way >= self._length:
            raise LaneFull("too much work is waiting")
        self._under_way += 1
        future = self._thread.submit(work, *args, **kwargs)
        try:
            return await asyncio.wrap_future(future)
        finally:
            self._under_way -= 1

    def close(self) -> None:
        """Forget what has not begun."""
        self._thread.shutdown(wait=False, cancel_futures=True)

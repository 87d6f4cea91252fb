"""What becomes of a student whose engine has died: it is loaded anew, as often as it takes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from app.telemetry.logs import log_failure

log = structlog.get_logger(__name__)

T = TypeVar("T")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0


async def load_anew(load: Callable[[], Awaitable[T]], model: str, pause: float) -> T:
    """Load again and again until it works. `pause` is the seconds before the first try; it doubles with each."""
    while True:
        log.warning("the student is dead and will be loaded anew", seconds=pause, model=model)
        await asyncio.sleep(pause)
        try:
            return await load()
        except Exception as error:  # noqa: BLE001 - whatever loading fails of, it is tried again
            log_failure(log, "loading the student anew failed", error, model=model)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

"""What the routes that export a look share: files to keep, made beside the event loop."""

import re
import unicodedata
from collections.abc import Callable, Collection
from time import perf_counter

from app.api.errors import TooManyRequests
from app.api.exchange import Exchange
from app.render import Lane, LaneFull
from app.telemetry.metrics import REJECTED

RETRY_SECONDS = 1

SPATIAL = "X-Recolor-Spatial"
LEFT_OUT = {SPATIAL: "Steps of the look that the file cannot hold, e.g. `bloom, sharpen`; absent if none."}

_LONGEST_NAME = 60


async def made(lane: Lane, exchange: Exchange, stage: str, make: Callable[[], bytes]) -> bytes:
    """What `make` returns; the time that it took goes to the exchange. Raises TooManyRequests."""
    began = perf_counter()
    try:
        return await lane.run(make)
    except LaneFull:
        REJECTED.labels("export_queue").inc()
        raise TooManyRequests("Too many exports are waiting; try again soon.", RETRY_SECONDS) from None
    finally:
        exchange.add_stage(stage, perf_counter() - began)


def attachment(intent: str | None, ending: str) -> dict[str, str]:
    """The header that names the file after its look, in letters that every file system takes."""
    plain = unicodedata.normalize("NFKD", intent or "").encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain)[:_LONGEST_NAME].strip("-") or "recolor"
    return {"Content-Disposition": f'attachment; filename="{name}.{ending}"'}


def left_out(steps: Collection[str]) -> dict[str, str]:
    """The header that names what the file cannot hold."""
    return {SPATIAL: ", ".join(steps)} if steps else {}

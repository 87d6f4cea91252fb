"""Asking the recolorer on behalf of a request: its errors as a caller meets them."""

import structlog
from starlette.requests import Request

from app.api.errors import InvalidField, NotAvailable, TooManyRequests
from app.api.exchange import Exchange
from app.api.lifecycle import RETRY_SECONDS, Lifecycle
from app.api.schemas import Look
from app.grade import Grade
from app.serving import Overloaded, Recolorer, Recoloring, RecolorRequest, Unavailable

log = structlog.get_logger(__name__)

LOW_CONFIDENCE = "low_confidence"


async def answered(recolorer: Recolorer, wanted: RecolorRequest, exchange: Exchange) -> Recoloring:
    """The recolorer's answer, noted in the exchange. Raises TooManyRequests, NotAvailable."""
    log.debug("intent", request_id=exchange.request_id, intent=wanted.intent)
    try:
        recoloring = await recolorer.recolor(wanted)
    except Overloaded as error:
        raise TooManyRequests("Too many requests are waiting; try again soon.", error.retry_after) from error
    except Unavailable as error:
        exchange.model, exchange.variant = error.model, error.variant
        exchange.facts |= {"sources": {}, "failed": error.failed, "cached": False}
        raise NotAvailable(f"No tool could be decided now ({_reasons(error.failed)}).", error.retry_after) from error
    exchange.model, exchange.variant = recoloring.model, recoloring.variant
    exchange.timings_ms = recoloring.timings_ms
    exchange.facts |= {"sources": recoloring.sources, "failed": recoloring.failed, "cached": recoloring.cached}
    return recoloring


class Asker:
    """Turns what a request says of a look into a whole grade."""

    def __init__(self, recolorer: Recolorer, lifecycle: Lifecycle) -> None:
        self._recolorer, self._lifecycle = recolorer, lifecycle

    async def grade(self, look: Look, request: Request) -> Grade:
        """The grade itself where the request has one, which needs no model; else the answer to its intent.

        A picture without one of its tools would be another look, so every tool must be decided. Raises
        TooManyRequests, NotAvailable, and InvalidField for a text that no model can read.
        """
        if look.intent is None:
            return look.canonical_grade()
        self._lifecycle.require_started()
        exchange = Exchange.of(request.scope)
        wanted = RecolorRequest(look.intent, request_id=exchange.request_id)
        recoloring = await answered(self._recolorer, wanted, exchange)
        if not recoloring.failed:
            return Grade.of(recoloring.tools)
        if set(recoloring.failed.values()) == {LOW_CONFIDENCE}:
            raise InvalidField(
                f"intent: No model at hand can read this text ({_reasons(recoloring.failed)}); say it in other words."
            )
        raise NotAvailable(f"Not every tool could be decided now ({_reasons(recoloring.failed)}).", RETRY_SECONDS)


def _reasons(failed: dict[str, str]) -> str:
    return ", ".join(f"{tool}: {reason}" for tool, reason in failed.items())

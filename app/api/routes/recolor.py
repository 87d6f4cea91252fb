"""POST /recolor: a look in words becomes a grade."""

import structlog
from fastapi import APIRouter, Request
from pydantic_core import to_json
from starlette.responses import Response

from app.api import examples
from app.api.body import read_json
from app.api.disconnect import CancelOnDisconnect
from app.api.errors import NotAvailable, TooManyRequests
from app.api.exchange import Exchange
from app.api.lifecycle import Lifecycle
from app.api.openapi import BODY_ERRORS, answer, errors, json_body
from app.api.schemas import RecolorAnswer, RecolorBody
from app.grade import TOOLS
from app.serving import Overloaded, Recolorer, Recoloring, RecolorRequest, Unavailable
from app.settings import Settings

log = structlog.get_logger(__name__)


def routes(recolorer: Recolorer, lifecycle: Lifecycle, settings: Settings) -> APIRouter:
    router = APIRouter()

    @router.post(
        "/recolor",
        summary="The settings that give footage a look",
        responses=answer(RecolorAnswer, "The grade.", examples.ANSWER) | errors(*BODY_ERRORS, NotAvailable),
        openapi_extra=json_body(RecolorBody, examples.REQUEST),
    )
    async def recolor(request: Request) -> Response:
        lifecycle.require_started()
        body = await read_json(request, RecolorBody, settings.max_body_bytes, settings.deadline_seconds)
        exchange = Exchange.of(request.scope)
        log.debug("intent", request_id=exchange.request_id, intent=body.intent)
        wanted = RecolorRequest(
            body.intent, tuple(body.tools or TOOLS), body.project_id, body.user_id, exchange.request_id
        )
        with CancelOnDisconnect(request.receive):
            recoloring = await _answer(recolorer, wanted, exchange)
        return Response(_json(recoloring, wanted), media_type="application/json")

    return router


async def _answer(recolorer: Recolorer, wanted: RecolorRequest, exchange: Exchange) -> Recoloring:
    try:
        recoloring = await recolorer.recolor(wanted)
    except Overloaded as error:
        raise TooManyRequests("Too many requests are waiting; try again soon.", error.retry_after) from error
    except Unavailable as error:
        exchange.facts |= {"sources": {}, "failed": error.failed, "cached": False}
        reasons = ", ".join(f"{tool}: {reason}" for tool, reason in error.failed.items())
        raise NotAvailable(f"No tool could be decided now ({reasons}).", error.retry_after) from error
    exchange.model, exchange.variant = recoloring.model, recoloring.variant
    exchange.timings_ms = recoloring.timings_ms
    exchange.facts |= {"sources": recoloring.sources, "failed": recoloring.failed, "cached": recoloring.cached}
    return recoloring


def _json(recoloring: Recoloring, wanted: RecolorRequest) -> bytes:
    return to_json(
        {
            "request_id": wanted.request_id,
            "intent": wanted.intent,
            **recoloring.tools,
            "sources": recoloring.sources,
            "failed": recoloring.failed,
            "cached": recoloring.cached,
            "model": recoloring.model,
            "variant": recoloring.variant,
            "timings_ms": recoloring.timings_ms,
        }
    )

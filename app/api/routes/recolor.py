"""POST /recolor: a look in words becomes a grade."""

from fastapi import APIRouter, Request
from pydantic_core import to_json
from starlette.responses import Response

from app.api import examples
from app.api.asking import answered
from app.api.body import read_json
from app.api.disconnect import CancelOnDisconnect
from app.api.errors import NotAvailable
from app.api.exchange import Exchange
from app.api.lifecycle import Lifecycle
from app.api.openapi import BODY_ERRORS, answer, errors, json_body
from app.api.schemas import RecolorAnswer, RecolorBody
from app.grade import TOOLS
from app.serving import Recolorer, Recoloring, RecolorRequest
from app.settings import Settings


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
        wanted = RecolorRequest(
            body.intent, tuple(body.tools or TOOLS), body.project_id, body.user_id, exchange.request_id, fresh=True
        )
        with CancelOnDisconnect(request.receive):
            recoloring = await answered(recolorer, wanted, exchange)
        return Response(_json(recoloring, wanted), media_type="application/json")

    return router


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

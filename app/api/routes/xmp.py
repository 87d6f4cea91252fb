"""POST /xmp: a look for Lightroom and Camera Raw."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api import examples
from app.api.asking import Asker
from app.api.body import read_json
from app.api.disconnect import CancelOnDisconnect
from app.api.errors import NotAvailable
from app.api.exchange import Exchange
from app.api.exports import LEFT_OUT, attachment, left_out, made
from app.api.openapi import BODY_ERRORS, errors, file_answer, json_body
from app.api.schemas import XmpBody
from app.grade import Grade
from app.render import Lane, spatial_steps, write_profile, write_xmp
from app.settings import Settings

XMP = "application/rdf+xml"


def routes(asker: Asker, lane: Lane, settings: Settings) -> APIRouter:
    router = APIRouter()

    @router.post(
        "/xmp",
        summary="A look for Lightroom and Camera Raw",
        description="A preset: sliders, curves and colour ranges that come near the look. Or a profile, which has "
        "the look's exact colours.",
        responses=file_answer((XMP,), "The preset or profile.", LEFT_OUT) | errors(*BODY_ERRORS, NotAvailable),
        openapi_extra=json_body(XmpBody, examples.REQUEST),
    )
    async def xmp(request: Request) -> Response:
        body = await read_json(request, XmpBody, settings.max_body_bytes, settings.deadline_seconds)
        with CancelOnDisconnect(request.receive):
            grade = await asker.grade(body, request)
            content = await made(lane, Exchange.of(request.scope), "xmp", lambda: _written(grade, body))
        headers = attachment(body.intent, "xmp")
        if body.strength:
            headers |= left_out([step for step in spatial_steps(grade) if body.kind == "profile" or step == "bloom"])
        return Response(content, headers=headers, media_type=XMP)

    return router


def _written(grade: Grade, body: XmpBody) -> bytes:
    write = write_profile if body.kind == "profile" else write_xmp
    return write(grade, body.title, body.strength).encode()

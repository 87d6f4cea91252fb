"""POST /lut: a look as a 3D LUT, for editors as a file and for the page as a texture."""

from functools import lru_cache

import numpy as np
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
from app.api.schemas import LutBody
from app.grade import Grade
from app.render import Lane, Lut, compile_lut, spatial_steps, write_cube
from app.settings import Settings

CUBE, TEXTURE = "text/plain", "application/octet-stream"

_HEADERS = {"X-Lut-Size": "Points an axis.", **LEFT_OUT}


def routes(asker: Asker, lane: Lane, settings: Settings) -> APIRouter:
    router = APIRouter()

    @router.post(
        "/lut",
        summary="A look as a 3D LUT",
        description=f"A `.cube` file; or, where the header `Accept` names `{TEXTURE}`, the same colours as a texture: "
        "little-endian half floats, red, green, blue and 1 a point, red changes fastest and blue slowest.",
        responses=file_answer((CUBE, TEXTURE), "The LUT.", _HEADERS) | errors(*BODY_ERRORS, NotAvailable),
        openapi_extra=json_body(LutBody, examples.REQUEST),
    )
    async def lut(request: Request) -> Response:
        body = await read_json(request, LutBody, settings.max_body_bytes, settings.deadline_seconds)
        as_texture = TEXTURE in request.headers.get("accept", "").lower()
        with CancelOnDisconnect(request.receive):
            grade = await asker.grade(body, request)
            make = (lambda: _texture(grade, body)) if as_texture else (lambda: _cube(grade, body))
            content = await made(lane, Exchange.of(request.scope), "lut", make)
        headers = {"X-Lut-Size": str(body.size), "Vary": "Accept"}
        if body.strength:
            headers |= left_out(spatial_steps(grade))
        if as_texture:
            return Response(content, headers=headers, media_type=TEXTURE)
        return Response(content, headers=headers | attachment(body.intent, "cube"), media_type=CUBE)

    return router


# A page that draws a look and then offers it as a file asks twice; the largest LUT has 3 MB.
@lru_cache(maxsize=16)
def _compiled(grade: Grade, size: int, strength: float) -> Lut:
    return compile_lut(grade, size, strength)


def _cube(grade: Grade, body: LutBody) -> bytes:
    return write_cube(_compiled(grade, body.size, body.strength), body.title).encode()


def _texture(grade: Grade, body: LutBody) -> bytes:
    colours = np.ones((body.size**3, 4), "<f2")
    colours[:, :3] = _compiled(grade, body.size, body.strength).red_first()
    return colours.tobytes()

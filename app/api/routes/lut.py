"""POST /lut: a look as a 3D LUT, for editors as a file and for the page as a texture."""

import re
from collections.abc import Awaitable
from functools import lru_cache
from time import perf_counter

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api import examples
from app.api.asking import Asker
from app.api.body import read_json
from app.api.disconnect import CancelOnDisconnect
from app.api.errors import NotAvailable, TooManyRequests
from app.api.exchange import Exchange
from app.api.openapi import BODY_ERRORS, errors, file_answer, json_body
from app.api.schemas import LutBody
from app.grade import Grade
from app.render import Lane, LaneFull, Lut, compile_lut, write_cube
from app.settings import Settings
from app.telemetry.metrics import REJECTED

CUBE, TEXTURE = "text/plain", "application/octet-stream"

SPATIAL = ("structure", "bloom", "sharpen")
"""Parameters of adjust that no LUT can hold."""

RETRY_SECONDS = 1

_UNSAFE_IN_FILE_NAMES = re.compile(r"[^a-z0-9]+")
_LONGEST_FILE_NAME = 60

_HEADERS = {
    "X-Recolor-Spatial": "The steps of the look that no LUT can hold, e.g. `bloom, sharpen`; absent if there are none.",
    "X-Lut-Size": "Points an axis.",
}


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
        as_texture = TEXTURE in request.headers.get("accept", "")
        with CancelOnDisconnect(request.receive):
            grade = await asker.grade(body, request)
            content = await _timed(lane.run(_content, grade, body, as_texture), Exchange.of(request.scope))
        headers = {"X-Lut-Size": str(body.size), "Vary": "Accept"}
        if steps := [step for step in SPATIAL if body.strength and grade.adjust and getattr(grade.adjust, step)]:
            headers["X-Recolor-Spatial"] = ", ".join(steps)
        if as_texture:
            return Response(content, headers=headers, media_type=TEXTURE)
        headers["Content-Disposition"] = f'attachment; filename="{file_name(body.intent)}.cube"'
        return Response(content, headers=headers, media_type=CUBE)

    return router


async def _timed(content: Awaitable[bytes], exchange: Exchange) -> bytes:
    """The LUT; the time that it took goes to the exchange. Raises TooManyRequests."""
    began = perf_counter()
    try:
        return await content
    except LaneFull:
        REJECTED.labels("lut_queue").inc()
        raise TooManyRequests("Too many LUTs are waiting; try again soon.", RETRY_SECONDS) from None
    finally:
        exchange.add_stage("lut", perf_counter() - began)


def file_name(intent: str | None) -> str:
    """A name that every file system and header takes, without ending."""
    plain = _UNSAFE_IN_FILE_NAMES.sub("-", (intent or "").lower()).strip("-")
    return plain[:_LONGEST_FILE_NAME].strip("-") or "recolor"


def _content(grade: Grade, body: LutBody, as_texture: bool) -> bytes:
    lut = _compiled(grade, body.size, body.strength)
    return _texture(lut) if as_texture else write_cube(lut, body.intent or "Recolor").encode()


# A page that draws a look and then offers it as a file asks twice; the largest LUT has 3 MB.
@lru_cache(maxsize=16)
def _compiled(grade: Grade, size: int, strength: float) -> Lut:
    return compile_lut(grade, size, strength)


def _texture(lut: Lut) -> bytes:
    colours = np.ones((lut.size**3, 4), "<f2")
    colours[:, :3] = lut.red_first()
    return colours.tobytes()

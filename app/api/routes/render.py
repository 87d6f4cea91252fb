"""POST /render: a photo under a look."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import get_args

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import Response

from app.api import examples
from app.api.asking import Asker
from app.api.body import problems
from app.api.disconnect import CancelOnDisconnect
from app.api.errors import (
    ApiError,
    InvalidField,
    Malformed,
    NotAvailable,
    RequestTimeout,
    TooLarge,
    TooManyRequests,
    UnsupportedMediaType,
)
from app.api.exchange import Exchange
from app.api.form import read_form, require_form
from app.api.openapi import errors, file_answer, form_body
from app.api.schemas import RenderBody
from app.grade import strict_json
from app.render import PhotoError, PhotoFormat, PoolFull, RenderedPhoto, RenderJob, RenderPool, WorkerLost
from app.render.pool import Render
from app.settings import Settings
from app.telemetry.metrics import REJECTED

RETRY_SECONDS = 2
"""About what a large photo takes."""

IMAGE = "image"

_REST_BYTES = 65_536
"""Of a form beside its photo: boundaries, headers, text fields."""

_PHOTO = "The photo: a JPEG, PNG, WebP, TIFF, HEIC or AVIF file."

_MEANINGS: dict[type[ApiError], str] = {
    Malformed: "The body is not the form that its `Content-Type` says it is.",
    RequestTimeout: "The photo did not arrive in time.",
    TooLarge: "The photo has too many bytes or too many pixels.",
    UnsupportedMediaType: "The body is no `multipart/form-data`, or the photo is of a kind that is not handled.",
    InvalidField: "A field is missing, unknown or has a wrong value, or the photo is damaged; the message says which.",
    TooManyRequests: "You ask too often, or too many photos are waiting.",
    NotAvailable: "The intent cannot be answered now, or the photo took too long.",
}


def routes(asker: Asker, pool: RenderPool, settings: Settings) -> APIRouter:
    router = APIRouter()

    @router.post(
        "/render",
        summary="A photo under a look",
        description="The answer is the photo's file: upright, in sRGB, with its EXIF data, and in the format in which "
        "it came (HEIC and AVIF: JPEG) unless another one is asked for.",
        responses=file_answer([f"image/{name}" for name in get_args(PhotoFormat)], "The graded photo.")
        | errors(*_MEANINGS, meanings=_MEANINGS),
        openapi_extra=form_body(RenderBody, IMAGE, _PHOTO, examples.REQUEST),
    )
    async def render(request: Request) -> Response:
        require_form(request)
        with _place(pool) as render:
            photo, body = await _read(request, settings)
            with CancelOnDisconnect(request.receive):
                grade = await asker.grade(body, request)
                job = RenderJob(photo, grade, body.strength, body.format)
                rendered = await _rendered(render(job), Exchange.of(request.scope), settings)
        return Response(rendered.data, media_type=rendered.media_type)

    return router


@contextmanager
def _place(pool: RenderPool) -> Iterator[Render]:
    """Raises TooManyRequests."""
    try:
        with pool.place() as render:
            yield render
    except PoolFull:
        REJECTED.labels("render_queue").inc()
        raise TooManyRequests("Too many photos are waiting; try again soon.", RETRY_SECONDS) from None


async def _read(request: Request, settings: Settings) -> tuple[bytes, RenderBody]:
    """The photo, and what the form says beside it. Raises what `read_form` raises."""
    names = (IMAGE, *RenderBody.model_fields)
    form = await read_form(request, names, settings.max_image_bytes + _REST_BYTES, settings.upload_seconds)
    if IMAGE not in form:
        raise InvalidField(f"{IMAGE}: Field required; send the photo's file in it.")
    photo = form.pop(IMAGE)
    try:
        return photo, RenderBody.model_validate({name: _value(name, content) for name, content in form.items()})
    except ValidationError as error:
        raise InvalidField(problems(error.errors(include_input=False))) from None


def _value(name: str, content: bytes) -> object:
    """A field's text, and of the grade what it says as JSON. Raises InvalidField."""
    try:
        text = content.decode()
        return strict_json.read(text) if name == "grade" else text
    except UnicodeDecodeError:
        raise InvalidField(f"{name}: This is not UTF-8.") from None
    except strict_json.StrictJSONError as error:
        raise InvalidField(f"{name}: This is {error}.") from None


async def _rendered(rendering: Awaitable[RenderedPhoto], exchange: Exchange, settings: Settings) -> RenderedPhoto:
    """The graded photo; what can go wrong with it as a caller is told. The time that it took goes to the exchange."""
    began = perf_counter()
    try:
        return await rendering
    except PhotoError as error:
        REJECTED.labels(error.reason).inc()
        raise _REFUSALS[error.reason](f"{IMAGE}: {error}") from None
    except WorkerLost as error:
        if error.late:
            text = f"The photo took longer than the {settings.render_seconds:g} s it may take; make it smaller."
        else:
            text = "The photo could not be rendered, the process that did so has ended; try again."
        raise NotAvailable(text, RETRY_SECONDS) from error
    finally:
        exchange.add_stage("render", perf_counter() - began)


_REFUSALS = {"too_large": TooLarge, "unsupported": UnsupportedMediaType, "damaged": InvalidField}

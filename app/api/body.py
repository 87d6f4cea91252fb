"""Reading a request's body: within its limit, and only what it says it is."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from app.api.errors import InvalidField, Malformed, RequestTimeout, TooLarge, UnsupportedMediaType
from app.telemetry.metrics import REJECTED

Model = TypeVar("Model", bound=BaseModel)

LONGEST_NAME = 60
"""Characters of an unknown field's name that an error repeats."""

# What `curl -d` sends by itself is a form.
_JSON_HINT = (
    "The body must be JSON: send the header 'Content-Type: application/json'"
    " (curl: use --json in place of -d, or add -H 'Content-Type: application/json')."
)


async def read_json(request: Request, model: type[Model], limit: int, seconds: float) -> Model:
    """The body as a `model`. `limit` is in bytes, `seconds` the time that sending it may take.

    Raises UnsupportedMediaType, TooLarge, RequestTimeout, Malformed, InvalidField.
    """
    require_media_type(request, "application/json", _JSON_HINT)
    data = parse_json(await read_body(request, limit, seconds))
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InvalidField(problems(error.errors(include_input=False))) from None


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """The body, refused as soon as it is known to be too large: by its declared length, or on the way in."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal():
        raise Malformed("Content-Length is not a number.")
    if int(declared[:20]) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise RequestTimeout(f"The body did not arrive within {seconds:g} s.") from None
    return bytes(body)


def parse_json(body: bytes) -> Any:
    """Strict JSON: UTF-8, no name twice, no NaN. Raises Malformed."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    if not text.strip():
        raise Malformed("The body is empty; a JSON object is expected.")
    if text.startswith("\ufeff"):
        raise Malformed("The body starts with a byte order mark; JSON has none.")
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Malformed(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise Malformed("The body is not sensible JSON: it is nested too deeply.") from None
    except ValueError:
        # The one other error of the decoder: Python refuses to read integers of thousands of digits.
        raise Malformed("The body is not sensible JSON: a number is too long.") from None


def require_media_type(request: Request, media_type: str, hint: str) -> None:
    """Raises UnsupportedMediaType with the hint, or for a body that is compressed."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        REJECTED.labels("content_type").inc()
        raise UnsupportedMediaType("The body is compressed; send it without Content-Encoding.")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media_type:
        REJECTED.labels("content_type").inc()
        raise UnsupportedMediaType(hint)


def printable(name: str) -> str:
    """A field's name that the caller chose: it may be long, or hold what cannot be encoded or printed."""
    return "".join(c if c.isprintable() else "\ufffd" for c in name[:LONGEST_NAME])


def _too_large(limit: int) -> TooLarge:
    REJECTED.labels("too_large").inc()
    return TooLarge(f"The body is larger than the {limit} bytes that this path takes.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("The body is not sensible JSON: an object has the same name twice.")
    return members


def _no_constant(name: str) -> Any:
    raise Malformed(f"The body is not JSON: {name} is no JSON number.")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def problems(errors: Sequence[Mapping[str, Any]]) -> str:
    """The first few of pydantic's errors, each with the name of its field; values are not repeated."""
    return "; ".join(f"{_field(error['loc'])}: {error['msg']}" for error in errors[:5]) + "."


def _field(path: tuple[int | str, ...]) -> str:
    return printable(".".join(map(str, path))) or "body"

"""The service's own description: what routes say about bodies and errors, and what holds for all of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.api import examples
from app.api.admission import OPEN
from app.api.errors import (
    ApiError,
    InvalidField,
    Malformed,
    NotAvailable,
    RequestTimeout,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)
from app.api.schemas import ErrorAnswer

Responses = dict[int | str, dict[str, Any]]

DESCRIPTION = """\
A look in the user's own words ("golden hour", "the matrix", "less harsh, a bit colder") becomes the settings of three
editing tools that give footage that look.

Every error has one shape, `{"error": {"code", "message", "request_id"}}`, with `trace_id` where the service traces.
Every answer has the headers `X-Request-ID` (yours, if you sent one of at most 64 letters, digits, `.`, `_` or `-`) and
`Server-Timing`.
"""

_MEANING: dict[type[ApiError], str] = {
    Malformed: "The body is not JSON.",
    Unauthorized: "No key, or a wrong one.",
    RequestTimeout: "The body did not arrive in time.",
    TooLarge: "The body is too large.",
    UnsupportedMediaType: "The body is not declared as `application/json`.",
    InvalidField: "A field is missing, unknown or has a wrong value; the message names it.",
    TooManyRequests: "You ask too often, or too many requests are waiting.",
    NotAvailable: "Nobody can answer now.",
}

BODY_ERRORS = (Malformed, RequestTimeout, TooLarge, UnsupportedMediaType, InvalidField)
"""What can be wrong with a JSON body."""


def json_body(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """Documents the body of a route that reads it itself."""
    content = {"schema": _inlined(model.model_json_schema()), "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def form_body(model: type[BaseModel], file: str, says: str, example: dict[str, Any]) -> dict[str, Any]:
    """Documents a form: the file, and the fields of `model` as text, structured ones as JSON text."""
    schema = _inlined(model.model_json_schema())
    schema["properties"] = {file: {"type": "string", "format": "binary", "description": says}} | schema["properties"]
    schema["required"] = [file, *schema.get("required", ())]
    content = {"schema": schema, "example": example, "encoding": {"grade": {"contentType": "application/json"}}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": content}}}


def answer(
    model: type[BaseModel], description: str, example: dict[str, Any] | None = None, status: int = 200
) -> Responses:
    """Documents the answer of a route that writes it itself."""
    content = {"content": {"application/json": {"example": example}}} if example else {}
    return {status: {"model": model, "description": description, **content}}


def file_answer(media_types: Sequence[str], description: str, headers: Mapping[str, str] | None = None) -> Responses:
    """Documents an answer that is a file, in one of several forms; `headers` are what it has and what each says."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in media_types}
    described = {name: {"description": text, "schema": {"type": "string"}} for name, text in (headers or {}).items()}
    return {200: {"description": description, "content": content, "headers": described}}


def errors(*kinds: type[ApiError], meanings: Mapping[type[ApiError], str] | None = None) -> Responses:
    """Documents the errors of a route; those of the key and the rate limit come by themselves.

    Args:
        meanings: what an error means at this route, where that is not what it usually means.
    """
    return {kind.status: _error(kind, {**_MEANING, **(meanings or {})}[kind]) for kind in kinds}


def complete(app: FastAPI) -> dict[str, Any]:
    """Add what holds for all routes: keys, the rate limit, the headers of every answer. Returns the description."""
    schema = app.openapi()
    schema["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    schema["security"] = [{"key": []}, {}]
    reference = {"$ref": f"#/components/schemas/{ErrorAnswer.__name__}"}
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            if path in OPEN:
                operation["security"] = []
            else:
                for kind in (Unauthorized, TooManyRequests):
                    described = {k: v for k, v in _error(kind, _MEANING[kind]).items() if k != "model"}
                    described["content"]["application/json"]["schema"] = reference
                    operation["responses"].setdefault(str(kind.status), described)
            for response in operation["responses"].values():
                response.setdefault("headers", {}).update(_HEADERS)
    return schema


def _error(kind: type[ApiError], meaning: str) -> dict[str, Any]:
    example = {"error": {"code": kind.code, "message": meaning, "request_id": examples.ANSWER["request_id"]}}
    described: dict[str, Any] = {
        "model": ErrorAnswer,
        "description": meaning,
        "content": {"application/json": {"example": example}},
    }
    if kind in (TooManyRequests, NotAvailable):
        described["headers"] = {
            "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
        }
    return described


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON Schema without references: they would lead out of the place where it is put."""
    definitions = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(part) for part in node]
        if not isinstance(node, dict):
            return node
        reference = node.get("$ref", "").removeprefix("#/$defs/")
        whole = definitions[reference] | node if reference else node
        return {name: resolved(part) for name, part in whole.items() if name != "$ref"}

    inlined: dict[str, Any] = resolved(schema)
    return inlined


_HEADERS = {
    "X-Request-ID": {"description": "Names this request in logs and in feedback.", "schema": {"type": "string"}},
    "Server-Timing": {"description": "Where the time went, in milliseconds.", "schema": {"type": "string"}},
}

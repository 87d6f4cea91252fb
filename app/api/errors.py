"""What a caller can have done wrong, or met: one class an error, one JSON shape for all of them."""

# ruff: noqa: N818 - said as a caller says it

from collections.abc import Mapping
from typing import ClassVar

from pydantic_core import to_json
from starlette.responses import Response


class ApiError(Exception):
    """An error that the caller is told about.

    Attributes:
        status: the HTTP status.
        code: the name in the answer's `error.code`; programs decide by it.
        message: one sentence for a person. Never quotes more than a field's name.
        headers: response headers that belong to the error.
    """

    status: ClassVar[int]
    code: ClassVar[str]

    def __init__(self, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = dict(headers or {})


class Malformed(ApiError):
    status, code = 400, "malformed"


class Unauthorized(ApiError):
    status, code = 401, "unauthorized"

    def __init__(self) -> None:
        super().__init__(
            "A valid key is needed: send the header 'Authorization: Bearer <key>'.", {"WWW-Authenticate": "Bearer"}
        )


class NotFound(ApiError):
    status, code = 404, "not_found"

    def __init__(self) -> None:
        super().__init__("There is nothing at this path; GET /openapi.json lists what there is.")


class MethodNotAllowed(ApiError):
    status, code = 405, "method_not_allowed"

    def __init__(self, allowed: str) -> None:
        super().__init__(f"This path answers {allowed} only.", {"Allow": allowed})


class RequestTimeout(ApiError):
    status, code = 408, "request_timeout"


class TooLarge(ApiError):
    status, code = 413, "too_large"


class UnsupportedMediaType(ApiError):
    status, code = 415, "unsupported_media_type"


class InvalidField(ApiError):
    status, code = 422, "invalid_field"


class TooManyRequests(ApiError):
    """The caller asks too often, or all together do."""

    status, code = 429, "too_many_requests"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, {"Retry-After": str(retry_after)})


class Internal(ApiError):
    status, code = 500, "internal"

    def __init__(self) -> None:
        super().__init__("Something went wrong on our side; the log has it under this request_id.")


class NotAvailable(ApiError):
    """Cannot be answered now, can be later."""

    status, code = 503, "unavailable"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, {"Retry-After": str(retry_after)})


def error_body(code: str, message: str, request_id: str, trace_id: str = "") -> bytes:
    """The one shape of an error; a request that is not traced has no `trace_id`."""
    trace = {"trace_id": trace_id} if trace_id else {}
    return to_json({"error": {"code": code, "message": message, "request_id": request_id, **trace}})


def error_response(error: ApiError, request_id: str, trace_id: str) -> Response:
    body = error_body(error.code, error.message, request_id, trace_id)
    return Response(body, error.status, error.headers, "application/json")

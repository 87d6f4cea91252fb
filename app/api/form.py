"""Reading a form with a file in it (multipart/form-data, RFC 7578): within its limits, each part once."""

from collections.abc import Collection
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from app.api.body import printable, read_body, require_media_type
from app.api.errors import InvalidField, Malformed

FORM = "multipart/form-data"

MOST_PARTS = 16
"""More than any form here has, so that a part too many is named rather than counted."""


async def read_form(request: Request, names: Collection[str], limit: int, seconds: float) -> dict[str, bytes]:
    """The parts by name. `limit` is of the whole body in bytes, `seconds` the time that sending it may take.

    Raises TooLarge, RequestTimeout, Malformed, and InvalidField for a part that is not among `names` or comes twice.
    """
    form: dict[str, bytes] = {}
    for part in _parts(await read_body(request, limit, seconds), _boundary(request)):
        name = part.name()
        if name not in names:
            raise InvalidField(f"{printable(name)}: This form has only the fields {', '.join(names)}.")
        if name in form:
            raise InvalidField(f"{name}: Send this field once.")
        form[name] = b"".join(part.content)
    return form


def require_form(request: Request) -> None:
    """Raises UnsupportedMediaType."""
    hint = (
        "The body must be a form: send 'Content-Type: multipart/form-data' with a boundary (curl: -F image=@photo.jpg)."
    )
    require_media_type(request, FORM, hint)


@dataclass(slots=True)
class _Part:
    """Headers by lower-case name, and pieces of content."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    content: list[bytes] = field(default_factory=list)

    def name(self) -> str:
        """Raises Malformed."""
        kind, options = parse_options_header(self.headers.get(b"content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise Malformed("A part of the form has no name.")
        return options[b"name"].decode(errors="replace")


class _Collector:
    """What the parser finds, in pieces; it says where in its input each of them lies."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self.complete = False
        self._header, self._value = b"", b""

    def on_part_begin(self) -> None:
        if len(self.parts) == MOST_PARTS:
            raise Malformed(f"The form has more than {MOST_PARTS} parts.")
        self.parts.append(_Part())

    def on_header_begin(self) -> None:
        self._header, self._value = b"", b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self.parts[-1].headers[self._header.lower()] = self._value

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].content.append(data[start:end])

    def on_end(self) -> None:
        self.complete = True


def _boundary(request: Request) -> bytes:
    _, options = parse_options_header(request.headers["content-type"])
    if not options.get(b"boundary"):
        raise Malformed("The form's Content-Type names no boundary; let your HTTP client write this header.")
    return options[b"boundary"]


def _parts(body: bytes, boundary: bytes) -> list[_Part]:
    collector = _Collector()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": collector.on_part_begin,
                "on_header_begin": collector.on_header_begin,
                "on_header_field": collector.on_header_field,
                "on_header_value": collector.on_header_value,
                "on_header_end": collector.on_header_end,
                "on_part_data": collector.on_part_data,
                "on_end": collector.on_end,
            },
        )
        parser.write(body)
    except FormParserError:
        raise Malformed("The body is not the form that its Content-Type says it is.") from None
    if not collector.complete:
        raise Malformed("The form has no end; it was cut short.")
    return collector.parts

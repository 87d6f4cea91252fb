"""JSON read to the letter: no repeated names, no NaN, no endless numbers, and a reason for whatever cannot be read."""

import json
import re
from typing import Any, Literal

DecodeReason = Literal["invalid_json", "schema", "truncated"]
"""Why an answer cannot be read, by the names that metrics and responses use."""
DIGITS = 20
"""More digits than that are in no range, and Python refuses to convert thousands of them."""


class StrictJSONError(ValueError):
    def __init__(self, reason: DecodeReason, message: str) -> None:
        self.reason: DecodeReason = reason
        super().__init__(message)


def read(text: str) -> Any:
    """The value of a whole text. Raises StrictJSONError."""
    value, end = read_first(text)
    if text[end:].strip():
        raise StrictJSONError("invalid_json", f"not JSON: something follows at character {end}")
    return value


def read_first(text: str) -> tuple[Any, int]:
    """The value at the beginning of a text, and where it ends. Raises StrictJSONError."""
    try:
        return _DECODER.raw_decode(text, len(text) - len(text.lstrip()))
    except json.JSONDecodeError as error:
        reason: DecodeReason = "truncated" if _is_cut(text, error) else "invalid_json"
        raise StrictJSONError(reason, f"not JSON: {error}") from None
    except RecursionError:
        raise StrictJSONError("invalid_json", "nested too deeply") from None


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    """Whether the text is the beginning of JSON: what was expected would have come after its last word."""
    before, rest = text[: error.pos].strip(), text[error.pos :].strip()
    if error.msg.startswith("Unterminated string"):
        return True
    return bool(before) and re.fullmatch(r"[-+.\\\w]*", rest) is not None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in pairs:
        if name in read:
            raise StrictJSONError("schema", f"{name[:60]!r} is given twice")
        read[name] = value
    return read


def _whole(digits: str) -> int:
    if len(digits) > DIGITS:
        raise StrictJSONError("schema", f"a number of {len(digits)} digits is out of every range")
    return int(digits)


def _constant(name: str) -> Any:
    # Python reads NaN and Infinity, which JSON does not have.
    raise StrictJSONError("invalid_json", f"not JSON: {name}")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole, parse_constant=_constant)

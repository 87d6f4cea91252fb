"""The `json` codec: a tool's full JSON without white space, ``{}`` where the tool is unused."""

import json
from functools import cache
from typing import Any

from app.grade.codecs.codec import DecodeError, DecodeReason
from app.grade.codecs.grammar import Choice, Grammar
from app.grade.errors import GradeError
from app.grade.tools import Slot, ToolSettings, tool_model

UNUSED = "{}"


class JsonCodec:
    name = "json"

    def encode(self, tool: str, settings: ToolSettings | None) -> str:
        if settings is None:
            return UNUSED
        return json.dumps(settings.model_dump(), separators=(",", ":"))

    def decode(self, tool: str, text: str) -> ToolSettings | None:
        try:
            return tool_model(tool).parse(_read(text)).canonical()
        except GradeError as error:
            raise DecodeError("schema", str(error)) from None
        except _RepeatedNameError as error:
            raise DecodeError("schema", f"{tool}: {error.args[0][:60]!r} is given twice") from None
        except json.JSONDecodeError as error:
            reason: DecodeReason = "truncated" if _is_cut_off(text, error) else "invalid_json"
            raise DecodeError(reason, f"{tool}: not JSON: {error}") from None
        except RecursionError:
            raise DecodeError("invalid_json", f"{tool}: nested too deeply") from None

    @cache  # noqa: B019 - one codec lives as long as the process
    def grammar(self, tool: str) -> Grammar:
        slots = tool_model(tool).slots()
        choices: list[Choice] = [(UNUSED, _before(slots[0], ()))]
        for i, slot in enumerate(slots):
            if i:
                choices.append((_before(slot, slots[i - 1].path),))
            choices.append(tuple(json.dumps(value) for value in slot.values))
        choices.append(("}" * len(slots[-1].path),))
        return Grammar(tuple(choices), final=frozenset({UNUSED}))


def _before(slot: Slot, previous: tuple[str, ...]) -> str:
    """The fixed text between the previous value and this slot's value."""
    shared = 0
    while shared < min(len(previous), len(slot.path)) and previous[shared] == slot.path[shared]:
        shared += 1
    closing = "}" * (len(previous) - shared - 1)
    opened = "".join(f'{{"{part}":' for part in slot.path[shared + 1 :])
    return f"{closing}{',' if previous else '{'}" + f'"{slot.path[shared]}":{opened}'


class _RepeatedNameError(Exception):
    """An object gives a name twice; which of the values is meant cannot be known."""


def _read(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_object, parse_int=_whole, parse_constant=_constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in pairs:
        if name in read:
            raise _RepeatedNameError(name)
        read[name] = value
    return read


def _whole(digits: str) -> int | str:
    # Python refuses to convert thousands of digits. Left as text, such a number is refused by validation.
    return int(digits) if len(digits) <= 20 else digits


def _constant(name: str) -> Any:
    # Python reads NaN and Infinity, which JSON does not have.
    raise json.JSONDecodeError("Expecting value", name, 0)


def _is_cut_off(text: str, error: json.JSONDecodeError) -> bool:
    """Whether the text is the beginning of JSON: it ends where more was expected, or inside a string or number."""
    if error.msg.startswith("Unterminated string"):
        return True
    return bool(text.strip()) and text[error.pos :].strip() in {"", "-"}

"""The `json` codec: a tool's full JSON without white space, ``{}`` where the tool is unused."""

import json
from functools import cache

from app.grade import strict_json
from app.grade.codecs.codec import DecodeError
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
            return tool_model(tool).parse(strict_json.read(text)).canonical()
        except GradeError as error:
            raise DecodeError("schema", str(error)) from None
        except strict_json.StrictJSONError as error:
            raise DecodeError(error.reason, f"{tool}: {error}") from None

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

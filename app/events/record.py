"""An event as one line of JSON, in which form it waits on disk, and read back for the event store."""

import secrets
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from app.events.event import Feedback, FeedbackKind, Serve, ServedTool

LONGEST_REASONING = 4000
"""Characters of a teacher's words that are kept; it writes about 500."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it was taken. `time` is in seconds since 1970, `user_hash` stands for the event's user."""

    event: Serve | Feedback
    time: float
    user_hash: str | None


class _Record(BaseModel):
    # Lines may have been written by another version of this module: what it knew more of is left out.
    model_config = ConfigDict(extra="ignore", frozen=True)

    time: float = Field(ge=0, le=253_402_300_799)  # until the year 9999, the last that databases know
    request_id: str
    project_id: str | None = None
    user_hash: str | None = None


class ToolRecord(BaseModel):
    """`output` is the JSON text of canonical settings; None where the tool is not used."""

    tool: str
    output: str | None
    source: str
    model: str
    cached: bool
    reasoning: str | None


class ServeRecord(_Record):
    """`event_id` is unique, and sorts by time."""

    kind: Literal["serve"] = "serve"
    event_id: str
    intent: str
    variant: str
    experiment: str = ""
    tools: list[ToolRecord]


class FeedbackRecord(_Record):
    kind: Literal["feedback"] = "feedback"
    event: FeedbackKind
    tools: list[str] | None


Record = ServeRecord | FeedbackRecord

_RECORD: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


def line_of(entry: Entry) -> bytes:
    """The event's line, without its end."""
    fields: dict[str, Any]
    match entry.event:
        case Serve() as serve:
            fields = {
                "kind": "serve",
                "event_id": f"{int(entry.time * 1e6):014x}{secrets.token_hex(9)}",
                "intent": _clean(serve.intent),
                "variant": serve.variant,
                "experiment": serve.experiment,
                "tools": [_tool(tool) for tool in serve.tools],
            }
        case Feedback() as feedback:
            fields = {"kind": "feedback", "event": feedback.event, "tools": feedback.tools}
    common = {
        "time": entry.time,
        "request_id": _clean(entry.event.request_id),
        "project_id": _clean(entry.event.project_id),
        "user_hash": entry.user_hash,
    }
    return to_json(fields | common)


def record_of(line: bytes) -> Record | None:
    """The event that a line is about; None where it is about none, because the disk has damaged it."""
    try:
        return _RECORD.validate_json(line)
    except ValidationError:
        return None


def _tool(tool: ServedTool) -> dict[str, Any]:
    return {
        "tool": tool.tool,
        "output": tool.output and tool.output.model_dump_json(),
        "source": tool.source,
        "model": tool.model,
        "cached": tool.cached,
        "reasoning": _clean(tool.reasoning[:LONGEST_REASONING]) or None,
    }


def _clean(text: str | None) -> str | None:
    """Without what no database or no UTF-8 can hold: NUL and lone surrogates."""
    return text and text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")

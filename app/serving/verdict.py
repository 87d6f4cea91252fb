"""What became of one tool of one request: decided by a model, or failed."""

from dataclasses import dataclass
from typing import Literal

from app.grade import ToolSettings

Source = Literal["student", "teacher"]

LOW_CONFIDENCE = "low_confidence"
"""The reason that does not pass: no model at hand can read the intent."""

STUDENT_REASONS = ("invalid_json", "schema", "truncated", "timeout", "engine_error", LOW_CONFIDENCE)
"""Why a student's answer does not count."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Validated settings in canonical form (None: the tool is not used) and who decided them.

    `model` is a student's ``name@version``, or the teacher's name at its server, which by now may have another.
    `reasoning` is what the teacher wrote about it, for the event log.
    """

    settings: ToolSettings | None
    source: Source
    model: str
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nobody could answer; `reason` is the name that metrics and responses use."""

    reason: str


Verdict = Decided | Failed

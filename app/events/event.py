"""What is worth remembering: tools that were served, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.grade import ToolSettings

FeedbackKind = Literal["exported", "discarded"]


@dataclass(frozen=True, slots=True)
class ServedTool:
    """One tool of an answer.

    Attributes:
        output: canonical settings; None where the tool is not used.
        source: who decided, ``student`` or ``teacher``.
        model: the name of who decided: a student's ``name@version``, a teacher's name at its server.
        cached: whether it was decided for an earlier request.
        reasoning: the teacher's own words on it; empty where there are none.
    """

    tool: str
    output: ToolSettings | None
    source: str
    model: str
    cached: bool = False
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Serve:
    """One answer. `intent` is folded; tools that failed were not served and are absent.

    `experiment` names the one that its project takes part in; empty where in none.
    """

    request_id: str
    intent: str
    tools: Sequence[ServedTool]
    variant: str
    project_id: str | None = None
    user_id: str | None = None
    experiment: str = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a user did with an answer. `tools` are those kept in an export; None: all of them."""

    request_id: str
    event: FeedbackKind
    tools: Sequence[str] | None = None
    project_id: str | None = None
    user_id: str | None = None

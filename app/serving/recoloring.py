"""A request and its answer, as the service's callers see them."""

from dataclasses import dataclass

from app.grade import TOOLS, ToolSettings, tool_model


@dataclass(frozen=True, slots=True)
class RecolorRequest:
    """A look in the user's words, and the tools that may be used for it.

    `fresh`: now and then the answer may be the teacher's instead, to learn from; only where a user is about to keep or
    discard it, and not where it must be the look that a user has seen before.

    Raises GradeError for a tool that does not exist, ValueError for no tool at all.
    """

    intent: str
    tools: tuple[str, ...] = tuple(TOOLS)
    project_id: str | None = None
    user_id: str | None = None
    request_id: str | None = None
    fresh: bool = False

    def __post_init__(self) -> None:
        if not self.tools:
            raise ValueError("at least one tool must be asked for")
        for tool in self.tools:
            tool_model(tool)


@dataclass(frozen=True, slots=True)
class Recoloring:
    """The answer to one request.

    Attributes:
        tools: canonical settings of each requested tool; None where it is not used, or failed.
        sources: who decided each tool, ``student`` or ``teacher``; failed tools are absent.
        failed: the reason of each failed tool.
        cached: whether every requested tool came from the cache.
        model: who answers first: a student's ``name@version``, or the teacher's name at its server.
        variant: the experiment's variant that answered.
        timings_ms: milliseconds of ``total`` and of the stages that this request itself went through:
            ``queue``, ``generate``, ``teacher``. A request that shared another's generation has only ``total``.
    """

    tools: dict[str, ToolSettings | None]
    sources: dict[str, str]
    failed: dict[str, str]
    cached: bool
    model: str
    variant: str
    timings_ms: dict[str, float]
